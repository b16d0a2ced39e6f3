"""Masks: white says what changes; each vendor is told it in its own way."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from providers.errors import NotOffered
from providers.masks import png_of, read_mask, transparent_mask
from providers.types import Media

PHOTO = png_of(Image.new("RGB", (4, 2), "red"))


def drawn(mode: str = "L", *, size: tuple[int, int] = (4, 2), white: tuple[int, ...] = (0,)) -> Media:
    """A black mask with these pixels of its first row white."""
    picture = Image.new("RGBA", size, "black")
    for x in white:
        picture.putpixel((x, 0), (255, 255, 255, 255))
    return png_of(picture.convert(mode))


def opened(media: Media) -> Image.Image:
    return Image.open(io.BytesIO(media.read()))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_white_becomes_transparent_whatever_the_mode(mode: str) -> None:
    clear = opened(transparent_mask(drawn(mode), PHOTO))
    assert (clear.mode, clear.size, clear.format) == ("RGBA", (4, 2), "PNG")
    assert list(clear.getchannel("A").tobytes()) == [0, 255, 255, 255, 255, 255, 255, 255]


@given(greys=st.lists(st.integers(0, 255), min_size=8, max_size=8).filter(lambda greys: max(greys) >= 128))
def test_every_pixel_is_kept_or_changed_and_nothing_between(greys: list[int]) -> None:
    mask = png_of(Image.frombytes("L", (4, 2), bytes(greys)))
    alpha = opened(transparent_mask(mask, PHOTO)).getchannel("A").tobytes()
    assert list(alpha) == [0 if grey >= 128 else 255 for grey in greys]


def test_what_is_transparent_in_a_mask_is_kept() -> None:
    picture = Image.new("RGBA", (4, 2), (255, 255, 255, 0))
    picture.putpixel((1, 1), (255, 255, 255, 255))
    assert list(read_mask(png_of(picture), PHOTO).tobytes()) == [0, 0, 0, 0, 0, 255, 0, 0]


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(NotOffered, match="2x4 pixels and the image 4x2"):
        transparent_mask(drawn(size=(2, 4)), PHOTO)


def test_a_mask_is_of_the_size_at_which_a_turned_photo_is_seen() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (2, 4)).save(file, "JPEG", exif=exif)
    assert read_mask(drawn(), Media("image/jpeg", file.getvalue())).size == (4, 2)


def test_a_mask_without_white_is_refused() -> None:
    with pytest.raises(NotOffered, match="nothing would be changed"):
        transparent_mask(drawn(white=()), PHOTO)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\nbroken"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotOffered, match="cannot be read"):
        transparent_mask(Media("image/png", data), PHOTO)
