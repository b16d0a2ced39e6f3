"""Writes the README's table of vendors and what they can do, from the catalogue: `make capabilities`.

Of each vendor counts what its models can do that are not retired. Only the families that come with Impresario are
shown, whatever else is installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from providers.base import Family
from providers.catalogue import Model
from providers.http import Http
from providers.registry import discover
from providers.types import Modality

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- capabilities: made by `make capabilities` -->", "<!-- /capabilities -->"

# Heading, the modality of the models, and capability -> the word for it, in the order of the cell.
COLUMNS: tuple[tuple[str, Modality, dict[str, str]], ...] = (
    ("Plans", "chat", {"tools": "yes"}),
    ("Looks at", "chat", {"vision": "pictures", "documents": "PDFs", "video_input": "clips", "audio_input": "sound"}),
    ("Images", "image", {"text_to_image": "from text", "reference_images": "from pictures"}),
    (
        "Edits images",
        "image",
        {
            "edit": "by instruction",
            "inpaint": "a masked part",
            "erase": "erases",
            "outpaint": "widens",
            "search_replace": "replaces",
            "search_recolor": "recolours",
            "remove_background": "cuts out",
            "upscale": "enlarges",
        },
    ),
    (
        "Video",
        "video",
        {
            "text_to_video": "from text",
            "image_to_video": "from a picture",
            "reference_images": "with references",
            "video_to_video": "from a clip",
        },
    ),
    ("Speech", "speech", {"tts": "yes"}),
    ("Transcribes", "transcription", {"transcribe": "yes", "timestamps": "with times", "diarization": "and speakers"}),
)


def families() -> list[Family]:
    """The families that come with Impresario, by name; the stand-in last. Raises RuntimeError when one is broken."""
    problems: dict[str, str] = {}
    ours = [kind({}, Http()) for kind in discover(problems) if kind.__module__.startswith("providers.")]
    if broken := {name: why for name, why in problems.items() if name.endswith("(impresario)")}:
        raise RuntimeError(str(broken))
    return sorted(ours, key=lambda family: (not family.key_names, family.name))


def table() -> str:
    """The table in Markdown."""
    headings = ["Vendor", "Key", *(heading for heading, _, _ in COLUMNS)]
    rows = [headings, ["---"] * len(headings), *(row(family) for family in families())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def row(family: Family) -> list[str]:
    """A vendor's cells."""
    key = f"`{family.key_names[0]}`" if family.key_names else "-"
    return [f"`{family.name}`", key, *(cell(family.models, modality, words) for _, modality, words in COLUMNS)]


def cell(models: Iterable[Model], modality: Modality, words: dict[str, str]) -> str:
    """What the models of one modality can do, in words."""
    living = (model for model in models if model.modality == modality and model.status != "retired")
    able = {capability for model in living for capability in model.capabilities}
    return ", ".join(word for capability, word in words.items() if capability in able)


def written(readme: str) -> str:
    """The README with the table as it is now. Raises ValueError when it has no place for it."""
    before, _, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"README.md has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
