"""What servers stand on, a database and a store: for a test to look into, and to stand in the way of.

with postgres_ground(server, s3) as ground:
    Server(tmp_path, {**fakes.environment(), **ground.environment})
    ground.refuse("steps", "INSERT", "NEW.kind = 'tool'", "the words of a prompt")
"""

from __future__ import annotations

import contextlib
import os
import re
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.db import create_engine, driver_url
from tests.databases import Postgres
from tests.object_store import ObjectStore

SILENT_S = 2.0
"""How soon a dead process is taken for dead here, where nobody waits for a busy machine."""


class Ground:
    """One database and one store. `stored` counts the works in the store."""

    def __init__(self, url: str, environment: Mapping[str, str], stored: Callable[[], int]) -> None:
        self.environment = {"WORKER_SILENT_S": str(SILENT_S), **environment}
        self.stored = stored
        self._engine = create_engine(driver_url(url), read_only=False)
        self._refusals = 0

    @property
    def is_postgres(self) -> bool:
        """Whether several processes may stand on it."""
        return self._engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What a query finds."""
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(query), values).mappings()]

    def run(self, statement: str, **values: Any) -> None:
        """Change something by hand."""
        with self._engine.begin() as connection:
            if values:
                connection.execute(sa.text(statement), values)
            else:
                connection.exec_driver_sql(statement)

    def refuse(self, table: str, event: str, condition: str, words: str) -> None:
        """From now on the database refuses one kind of row of the generations whose prompt begins with these words."""
        self._refusals += 1
        name = f"refusal_{self._refusals}"
        prompt = "NEW.prompt" if table == "generations" else "(SELECT prompt FROM generations g WHERE g.id = {})"
        refused = f"{condition} AND substr({prompt.format('NEW.generation_id')}, 1, {len(words)}) = '{words}'"
        trigger = f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW"
        if self.is_postgres:
            body = f"BEGIN IF {refused} THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END"
            self.run(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
            self.run(f"{trigger} EXECUTE FUNCTION {name}()")
        else:
            self.run(f"{trigger} WHEN {refused} BEGIN SELECT RAISE(ABORT, 'refused'); END")

    def allow(self) -> None:
        """Refuse nothing any more."""
        for number in range(1, self._refusals + 1):
            if self.is_postgres:
                self.run(f"DROP FUNCTION refusal_{number} CASCADE")
            else:
                self.run(f"DROP TRIGGER refusal_{number}")
        self._refusals = 0


@contextlib.contextmanager
def sqlite_ground(folder: Path) -> Iterator[Ground]:
    """The files of the one server whose data is in `folder`."""
    assets = folder / "data" / "assets" / "assets"

    def stored() -> int:
        return len(os.listdir(assets)) if assets.exists() else 0

    with contextlib.closing(Ground(f"sqlite:///{folder / 'data' / 'impresario.db'}", {}, stored)) as ground:
        yield ground


@contextlib.contextmanager
def postgres_ground(server: Postgres, s3: ObjectStore) -> Iterator[Ground]:
    """A new database and a new bucket."""
    url, bucket = server.new_database(), s3.new_bucket()
    environment = {**s3.environment(), "STORAGE_URL": bucket, "DATABASE_URL": url}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def stored() -> int:
        listed = f"{s3.url}/{bucket.removeprefix('s3://')}?list-type=2&prefix=assets/"
        with opener.open(listed, timeout=30) as answer:
            return len(re.findall(rb"<Key>", answer.read()))

    with contextlib.closing(Ground(url, environment, stored)) as ground:
        yield ground
    server.drop_database(url)
