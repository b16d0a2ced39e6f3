"""Finds the families: every one, built-in or a stranger's, comes through the entry point group `impresario.providers`.

Two families of one name, or two models of one name, are an error at start-up, not a surprise later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points

from .base import Family
from .catalogue import Catalogue
from .errors import NotOffered
from .http import Http

GROUP = "impresario.providers"


def discover() -> list[type[Family]]:
    """The family classes of every installed package. Raises ValueError when two share a name."""
    found: dict[str, type[Family]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        family: type[Family] = entry.load()
        if found.setdefault(family.name, family) is not family:
            raise ValueError(f"two installed packages bring a provider family named {family.name!r}; remove one.")
    return list(found.values())


class Registry:
    """The families of one process, opened, and the catalogue of their models."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.families = {family.name: family for family in families}
        unavailable = {name: why for name, family in self.families.items() if (why := family.unavailable())}
        models = tuple(model for family in self.families.values() for model in family.models)
        self.catalogue = Catalogue(models, unavailable)

    @classmethod
    def open(
        cls, environment: Mapping[str, str], http: Http, classes: Iterable[type[Family]] | None = None
    ) -> Registry:
        """Build every discovered family from the environment."""
        chosen = discover() if classes is None else classes
        return cls(family(environment, http) for family in chosen)

    def family(self, name: str) -> Family:
        """The family of that name. Raises NotOffered when there is none."""
        if name not in self.families:
            raise NotOffered(f"There is no provider family {name!r}.")
        return self.families[name]

    async def warm_up(self) -> None:
        """Let every available family load what its first call would wait for."""
        for name, family in self.families.items():
            if name not in self.catalogue.unavailable:
                await family.warm_up()

    async def aclose(self) -> None:
        """Close every family."""
        for family in self.families.values():
            await family.aclose()
