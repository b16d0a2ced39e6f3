"""For the authors of vendors: the contract that every family answers, to be run on one of your own.

    class TestAcme(FamilyContract):
        wire = Wire(family=Acme, ...)

Nothing else of the product imports this, for it needs what the product does not: pytest, anyio and respx; for an SDK
on httpx2 also pytest-httpx2.
"""

import pytest

pytest.register_assert_rewrite("providers.testing.contract", "providers.testing.jobs")

from .contract import FamilyContract  # noqa: E402
from .drip import Drip  # noqa: E402
from .wire import Jobs, Kept, Listing, Wire  # noqa: E402

__all__ = ["Drip", "FamilyContract", "Jobs", "Kept", "Listing", "Wire"]
