"""The contract of every family (`providers.testing`), asked of each that comes along: `TestOpenai`, `TestRunway` ..."""

from contract import Wire, wires

from providers.registry import discover
from providers.testing import FamilyContract


def asked(name: str, wire: Wire) -> type[FamilyContract]:
    """A test class for one description."""
    return type(f"Test{name.title().replace('_', '')}", (FamilyContract,), {"wire": wire, "__module__": __name__})


globals().update({kind.__name__: kind for kind in (asked(name, wire) for name, wire in wires().items())})


def test_every_family_that_is_reached_over_a_wire_is_asked():
    described = {wire.family.name for wire in wires().values()}
    assert {family.name for family in discover() if family.base_url_name} - described == set()
