"""Finds the families: every one, built-in or a stranger's, comes through the entry point group `impresario.providers`.

One that cannot be used for a fault of its own is left out and reported, never fatal: a plugin that cannot be imported,
that brings no family, whose constructor fails, whose rows are wrong, or whose name is taken. Our own families keep
their names. `PROVIDERS` says which are wanted: `openai,google` these alone, `-runway` (or `!runway`) all but this one.
The others are listed as unavailable, and asked for nothing but the jobs they still have.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import re
from collections.abc import Container, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from .base import Family
from .catalogue import Catalogue
from .errors import NotOffered, without_keys
from .hooks import Hooks, watched
from .http import Http
from .notes import Note, read_notes, remembered, told, write_notes

GROUP = "impresario.providers"
OURS = "impresario"
"""The distribution whose families are built in."""
NAME = re.compile(r"[a-z][a-z0-9_]*")

LOOK_EVERY_S = 3600.0

log = logging.getLogger(__name__)


# ---- what there is ---------------------------------------------------------------------------------------------------


def discover(
    problems: MutableMapping[str, str] | None = None, unwanted: Container[str] = frozenset()
) -> list[type[Family]]:
    """The family classes of every installed package, our own first. What cannot be used is left out; `problems` then
    says why, by the name of its entry point and package. What is `unwanted` and not ours is not even imported."""
    problems = {} if problems is None else problems
    found: dict[str, type[Family]] = {}
    for entry in _entries():
        if entry.name in unwanted and _package(entry) != OURS:
            continue
        try:
            family = _family(entry.load())
        except (Exception, SystemExit) as error:
            problems[_title(entry)] = _sentence("It cannot be loaded", error)
            continue
        if found.setdefault(family.name, family) is not family:
            problems[_title(entry)] = f"There is another provider family named {family.name!r}, which keeps its name."
    return list(found.values())


def _entries() -> list[EntryPoint]:
    return sorted(set(entry_points(group=GROUP)), key=lambda entry: (_package(entry) != OURS, entry.name))


def _family(loaded: Any) -> type[Family]:
    """What an entry point led to, if it is a family. Raises TypeError."""
    if not (isinstance(loaded, type) and issubclass(loaded, Family)):
        raise TypeError(f"it leads to {loaded!r:.100}, not to a subclass of providers.Family")
    name = getattr(loaded, "name", None)
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise TypeError(f"its name is {name!r:.100}; use small letters, digits and _, with a letter first")
    return loaded


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else ""


def _title(entry: EntryPoint) -> str:
    return f"{entry.name} ({_package(entry) or entry.value})"


def _sentence(what: str, error: BaseException) -> str:
    """A fault in one line, without what looks like a key, and without the path that Python adds to an ImportError."""
    said = re.sub(r" \([/\\A-Z][^()]*\)$", "", " ".join(str(error).split()))[:300].rstrip(".")
    return without_keys(f"{what}: {type(error).__name__}: {said}." if said else f"{what}: {type(error).__name__}.")


# ---- what is wanted --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """What `PROVIDERS` says: the names to keep (empty: all), and the names to leave out."""

    keep: frozenset[str]
    drop: frozenset[str]

    @classmethod
    def read(cls, text: str) -> Wanted:
        """From the setting's comma-separated text."""
        names = [name.strip().lower() for name in text.split(",") if name.strip()]
        drop = frozenset(name[1:].strip() for name in names if name[0] in "-!")
        return cls(frozenset(name for name in names if name[0] not in "-!"), drop)

    def __contains__(self, name: object) -> bool:
        return name not in self.drop and (not self.keep or name in self.keep)


# ---- the registry ----------------------------------------------------------------------------------------------------


class Registry:
    """The families of one process, opened, and the catalogue of their models."""

    def __init__(
        self,
        families: Iterable[Family],
        problems: Mapping[str, str] | None = None,
        wanted: Container[str] | None = None,
    ) -> None:
        self.families = {family.name: family for family in families}
        self.problems: Mapping[str, str] = dict(problems or {})
        """What was left out, and why in a sentence each."""
        unavailable = {name: why for name, family in self.families.items() if (why := family.unavailable())}
        if wanted is not None:
            off = "{} is switched off here: the setting PROVIDERS leaves it out.".format
            unavailable |= {name: off(name) for name in self.families if name not in wanted}
        models = tuple(model for family in self.families.values() for model in family.models)
        self.catalogue = self._written = Catalogue(models, unavailable)
        self._voices = {name: family.voices for name, family in self.families.items()}
        self._notes: dict[str, Note] = {}

    @classmethod
    def open(
        cls,
        environment: Mapping[str, str],
        http: Http,
        classes: Iterable[type[Family]] | None = None,
        hooks: Iterable[Hooks] = (),
    ) -> Registry:
        """Build every discovered family from the environment; what fails is left out and reported. The
        `hooks` are told of every call of the families' verbs."""
        problems: dict[str, str] = {}
        wanted = Wanted.read(environment.get("PROVIDERS", ""))
        chosen = discover(problems, wanted.drop) if classes is None else list(classes)
        known = {kind.name for kind in chosen} | ({entry.name for entry in _entries()} if classes is None else set())
        if unknown := sorted((wanted.keep | wanted.drop) - known):
            names = ", ".join(sorted(known))
            problems["PROVIDERS"] = f"There is no provider named {' or '.join(unknown)}; there are: {names}."
        families, told_of = [], tuple(hooks)
        for kind in chosen:
            try:
                families.append(watched(_opened(kind, environment, http), *told_of))
            except Exception as error:
                problems[kind.name] = _sentence("It cannot be opened", error)
        for title, problem in problems.items():
            log.warning("a provider is left out: %s: %s", title, problem)
        return cls(families, problems, wanted)

    def family(self, name: str) -> Family:
        """The family of that name. Raises NotOffered when there is none."""
        if name not in self.families:
            raise NotOffered(f"There is no provider family {name!r}.")
        return self.families[name]

    def available(self) -> list[Family]:
        """The families that can be used here and now."""
        return [family for name, family in self.families.items() if name not in self.catalogue.unavailable]

    # ---- what the vendors say today ----

    def recall(self, kept: Path) -> None:
        """Correct the catalogue by what the vendors said last, without asking them (blocking: reads `kept`)."""
        self._correct(remembered(self.available(), read_notes(kept), dt.datetime.now(dt.UTC)))

    async def refresh(self, kept: Path | None = None) -> None:
        """Ask the vendors which of their models live, until when, with which limits and voices, and correct the
        catalogue by it. Their word is kept in the file `kept` and asked for once a day; a vendor that does not answer
        changes nothing."""
        notes = self._notes
        if kept is not None and not notes:
            notes = await asyncio.to_thread(read_notes, kept)
        found = await told(self.available(), notes, dt.datetime.now(dt.UTC))
        self._correct(found)
        if kept is not None and found != notes:
            await asyncio.to_thread(write_notes, kept, found)

    async def keep_fresh(self, kept: Path | None = None) -> None:
        """Refresh for ever, in the background: each vendor is asked once a day."""
        while True:
            await self.refresh(kept)
            await asyncio.sleep(LOOK_EVERY_S)

    def _correct(self, notes: dict[str, Note]) -> None:
        """Put the vendors' word before the TOML's. Which models live is the catalogue's to say; the families, which
        ask about every row of theirs again tomorrow, get the limits and voices."""
        self._notes = notes
        self.catalogue = self._written.corrected({name: note.correction for name, note in notes.items()})
        limits = {model.name: model.limits for model in self.catalogue.models}
        for name, family in self.families.items():
            own = (model for model in self._written.models if model.vendor == name)
            family.models = tuple(model.model_copy(update={"limits": limits[model.name]}) for model in own)
            said = notes[name].correction.voices if name in notes else {}
            family.voices = {**said, **self._voices[name]}  # alloy, echo ... stay what they are

    # ---- life ----

    async def warm_up(self) -> None:
        """Let every available family load what its first call would wait for."""
        for family in self.available():
            try:
                await family.warm_up()
            except Exception as error:
                log.warning("provider %s could not be warmed up: %s", family.name, error)

    async def aclose(self) -> None:
        """Close every family."""
        for family in self.families.values():
            try:
                await family.aclose()
            except Exception as error:
                log.warning("provider %s could not be closed: %s", family.name, error)


def _opened(kind: type[Family], environment: Mapping[str, str], http: Http) -> Family:
    """A family that was looked at: its rows are its own, and no two of one name. Raises whatever is wrong with it."""
    family = kind(environment, http)
    family.unavailable()
    if strange := sorted({model.vendor for model in family.models} - {family.name}):
        raise ValueError(f"its models say that their vendor is {strange[0]!r}, and the family is {family.name!r}")
    Catalogue(tuple(family.models))
    return family
