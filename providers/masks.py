"""Masks: ours say with white what is to change and have the size of their image; vendors want them in other ways.

Everything here decodes pictures: call it off the event loop.
"""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from .errors import NotOffered
from .shapes import image_size
from .types import Media

HALF = 128
"""From this grey on a pixel counts as white."""


def read_mask(mask: Media, image: Media) -> Image.Image:
    """A mask as black (0: keep) and white (255: change) in mode "L". What is transparent in it is kept.

    Raises NotOffered when it is no picture, not of the size at which `image` is seen, or without any white: such an
    edit would be paid for and change nothing.
    """
    size, wanted = image_size(mask), image_size(image)
    if size and wanted and size != wanted:  # before it is decoded, which a huge one would not be
        sizes = f"{size[0]}x{size[1]} pixels and the image {wanted[0]}x{wanted[1]}"
        raise NotOffered(f"The mask has {sizes}: make it of the image's size.")
    try:
        with Image.open(io.BytesIO(mask.read())) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotOffered("The mask cannot be read as a picture: give a black and white PNG.") from error
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture)
    grey = flat.convert("L").point([255 if value >= HALF else 0 for value in range(256)])
    if grey.getextrema() == (0, 0):
        raise NotOffered("The mask holds no white, so nothing would be changed: paint white what is to change.")
    return grey


def transparent_mask(mask: Media, image: Media) -> Media:
    """A mask for vendors that change what is transparent: an RGBA PNG, clear where ours is white. Raises NotOffered,
    see `read_mask`."""
    white = read_mask(mask, image)
    picture = Image.new("RGBA", white.size, "black")
    picture.putalpha(ImageOps.invert(white))
    return png_of(picture)


def png_of(picture: Image.Image) -> Media:
    """A picture as a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return Media("image/png", data=file.getvalue())
