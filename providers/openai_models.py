"""What OpenAI says of its models today: which there are, and until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from .catalogue import Correction, Model
from .errors import MalformedAnswer


def correction_of(body: Mapping[str, Any], rows: Iterable[Model], vendor: str) -> Correction:
    """What a list of models (GET /models; openai 3.52.0, types/model.py) corrects in these rows. Raises
    MalformedAnswer. Retired rows are not looked for; a list that names none of the others is not believed."""
    data = body.get("data")
    if not isinstance(data, list):
        raise MalformedAnswer(f"{vendor} answered without a list of models.")
    listed = {str(one["id"]): one.get("shutdown_date") for one in data if isinstance(one, dict) and one.get("id")}
    living = [row for row in rows if row.status != "retired"]
    gone = [row.id for row in living if row.wire_id not in listed]
    if len(gone) == len(living):
        raise MalformedAnswer(f"{vendor}'s list of models names none that is known.")
    days = {row.id: day for row in living if (day := _day(listed.get(row.wire_id)))}
    return Correction(shutdowns=days, gone=tuple(gone))


def _day(text: Any) -> dt.date | None:
    """ "2027-01-14", perhaps with a time behind it."""
    try:
        return dt.date.fromisoformat(text[:10]) if isinstance(text, str) else None
    except ValueError:
        return None
