"""What the files made here tell of themselves: the words they were made from, in their own metadata.

So a later look at a picture, or a transcript of a narration, can be right although nothing here can see or understand.
The words stand behind `SOFTWARE`, which tells our records from anybody else's comments.
"""

from __future__ import annotations

import io

from PIL import Image, PngImagePlugin

from ..types import Media
from .opening import opened

SOFTWARE = "Impresario offline stand-in"
LONGEST = 4200
"""Characters of a record: the longest text that is read aloud, and a little."""
LONGEST_OF_A_FILM = 1000


def record(text: str, most: int = LONGEST) -> str:
    """The comment that says what a file was made from."""
    plain = "".join(" " if character < " " or "\ud800" <= character <= "\udfff" else character for character in text)
    return f"{SOFTWARE}: {' '.join(plain.split())[:most]}"


def told(comment: object) -> str | None:
    """What one of our comments says; None for anybody else's."""
    text = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    lead = f"{SOFTWARE}: "
    return text.removeprefix(lead) or None if isinstance(text, str) and text.startswith(lead) else None


def picture_info(text: str) -> PngImagePlugin.PngInfo:
    """The text chunks of a picture.

    `Description` is the keyword the PNG standard has for it. `comment` is the one that Pillow takes over into a JPEG,
    so that the record lives on in the smaller copy that a picture is looked at in.
    """
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", SOFTWARE)
    if text:
        about.add_text("Description", record(text).removeprefix(f"{SOFTWARE}: "))
        about.add_itxt("comment", record(text))
    return about


def record_of_picture(media: Media) -> str | None:
    """The words one of our pictures was drawn from; None where it has none. Blocking."""
    try:
        with Image.open(io.BytesIO(media.read())) as picture:
            return told(picture.info.get("comment"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def record_of_sound(media: Media) -> str | None:
    """The words one of our narrations speaks, or one of our clips shows; None where it has no record. Blocking.

    Raises InvalidRequest when the file cannot be read.
    """
    with opened(media) as container:
        return told(container.metadata.get("comment"))
