"""The vendors, importable alone: a plugin author needs nothing else."""

from .base import Family
from .catalogue import Catalogue, Correction, Model, Price, load_models
from .http import Http
from .media import Media
from .registry import Registry, discover

__all__ = [
    "Catalogue",
    "Correction",
    "Family",
    "Http",
    "Media",
    "Model",
    "Price",
    "Registry",
    "discover",
    "load_models",
]
