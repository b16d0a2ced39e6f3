"""Finds the vendors that the contract is asked of (`test_contract.py`), each described as `providers.testing` has it.

A vendor describes itself in `wire_<vendor>.py`, in this folder, as a module-level `WIRE = Wire(...)`; one that is quick
at some works and slow at others has a second module, `wire_<vendor>_jobs.py`. The modules are found by their names; no
list has to be edited.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from providers.testing import Jobs, Kept, Listing, Wire

__all__ = ["Jobs", "Kept", "Listing", "Wire", "wires"]


def wires() -> dict[str, Wire]:
    """Every description, by what its module is called after `wire_`. Raises AttributeError when one has no `WIRE`."""
    found: dict[str, Wire] = {}
    for path in sorted(Path(__file__).parent.glob("wire_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        wire: Wire = module.WIRE
        found[path.stem.removeprefix("wire_")] = wire
    return found
