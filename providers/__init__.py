"""The vendors, importable alone: a plugin author needs nothing else."""

from .base import Family
from .catalogue import Catalogue, Model, Price, load_models
from .http import Http
from .registry import Registry, discover

__all__ = ["Catalogue", "Family", "Http", "Model", "Price", "Registry", "discover", "load_models"]
