"""Bodies that come piece by piece; see `providers.testing`."""

from providers.testing import Drip as Drip
