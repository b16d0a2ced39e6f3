"""What can be said of pictures without seeing them: size, colours, light, sharpness, what the camera wrote down, and
the words that one of our own drawings was made from."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from ..offline_media.lettering import MARK
from ..offline_media.picture import open_picture, open_transparent
from ..offline_media.reading import THINGS, read_prompt
from ..offline_media.records import record_of_picture
from ..offline_media.text import singular, words_of
from ..types import ChatRequest, Media
from .colours import colours_of
from .question import MEASURED, OWN_RECORD, Rule, answered, asks_after, listed, parts_of
from .summary import key_themes, summed_up

SEEN = 512
"""Pixels of the longer side at which a picture is measured."""
KNOWS = "size, colours, light, contrast, sharpness, transparency, and what a file's own record says"


@dataclass(frozen=True)
class Facts:
    """One picture, measured. Shares, brightness and contrast are 0 to 1; `sharpness` has no unit."""

    width: int
    height: int
    colours: tuple[tuple[str, float], ...]
    brightness: float
    contrast: float
    sharpness: float
    clear: float
    """The share that is transparent."""
    taken: str | None = None
    camera: str | None = None
    record: str | None = None

    @property
    def shape(self) -> str:
        """Square, landscape or portrait."""
        if abs(self.width - self.height) < 0.05 * self.width:
            return "square"
        return "landscape" if self.width > self.height else "portrait"

    @property
    def light(self) -> str:
        """How light it is, in a word."""
        return "dark" if self.brightness < 0.3 else "bright" if self.brightness > 0.62 else "of medium brightness"

    @property
    def crispness(self) -> str:
        """How sharp it is, in a word."""
        return "blurred" if self.sharpness < 12 else "soft" if self.sharpness < 60 else "sharp"

    @property
    def told_colours(self) -> str:
        """Its colours with their shares."""
        return listed([f"{name} ({share:.0%})" for name, share in self.colours])


def measured(media: Media) -> Facts:
    """The facts of a picture. Blocking. Raises InvalidRequest when it cannot be read."""
    picture, alpha = open_picture(media, SEEN), open_transparent(media, SEEN).getchannel("A")
    width, height, taken, camera = _header(media)
    grey = np.asarray(picture.convert("L"), np.float64)
    inner = grey[1:-1, 1:-1] * 4 - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return Facts(
        width=width,
        height=height,
        colours=tuple(colours_of(picture)),
        brightness=float(grey.mean()) / 255,
        contrast=float(grey.std()) / 128,
        sharpness=float(inner.var()) if inner.size else 0.0,
        clear=float((np.asarray(alpha) < 128).mean()),
        taken=taken,
        camera=camera,
        record=record_of_picture(media),
    )


def analysis(request: ChatRequest) -> dict[str, Any]:
    """An "ImageAnalysis" of the pictures of a request. Blocking."""
    parts = parts_of(request)
    shown = [measured(media) for media in request.media.values() if media.media_type.startswith("image/")]
    records = " ".join(facts.record for facts in shown if facts.record)
    reading = read_prompt(records) if records else None
    text = parts.get("text")
    return {
        "description": " ".join([*_numbered([described(facts) for facts in shown]), closing(bool(records))]),
        "answer": answered(parts.get("question"), RULES, (parts.get("question", ""), shown), KNOWS),
        "objects": things_in(records),
        "scene": f"{reading.setting} (by its own record)" if reading else "not told: it is measured, not seen",
        "style": "; ".join(dict.fromkeys(_style(facts) for facts in shown)),
        "colors": list(dict.fromkeys(name for facts in shown for name, _ in facts.colours)),
        "text_in_image": " / ".join(f"{read_prompt(f.record).caption} / {MARK}" for f in shown if f.record) or None,
        "summary": _summary(text, shown) if text else None,
        "key_themes": key_themes(text) if text else [],
    }


def described(facts: Facts) -> str:
    """A picture in a sentence or two."""
    contrast = "low" if facts.contrast < 0.25 else "high" if facts.contrast > 0.55 else "medium"
    said = f"A {facts.shape} picture of {facts.width}x{facts.height} pixels, mostly {facts.told_colours}; "
    said += f"{facts.light}, with {contrast} contrast, {facts.crispness}."
    said += f" {facts.clear:.0%} of it is transparent." if facts.clear > 0.01 else ""
    said += f" The camera wrote: {listed(_written(facts))}." if _written(facts) else ""
    return said + (f' {OWN_RECORD} it shows "{facts.record}".' if facts.record else "")


def closing(by_record: bool) -> str:
    """What the answer rests on."""
    shown = "what they show is known from records alone" if by_record else "it cannot say what is shown"
    return f"{MEASURED}; {shown}."


def things_in(record: str) -> list[str]:
    """The things a record names that can be drawn here."""
    return list(dict.fromkeys(word for word in map(singular, words_of(record)) if word in THINGS))


def _header(media: Media) -> tuple[int, int, str | None, str | None]:
    """Size as it is to be seen, when it was taken, and the camera."""
    with Image.open(io.BytesIO(media.read())) as picture:
        exif = Image.Image.getexif(picture)
        turned = exif.get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
        width, height = reversed(picture.size) if turned else picture.size
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        taken = str(inner.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime) or "")
        camera = " ".join(str(exif[tag]) for tag in (ExifTags.Base.Make, ExifTags.Base.Model) if tag in exif)
    return width, height, _plain(taken), _plain(camera)


def _plain(said: str) -> str | None:
    return " ".join(said.replace("\0", "").split())[:80] or None


def _written(facts: Facts) -> list[str]:
    return [said for said in (facts.taken and f"taken {facts.taken}", facts.camera and f"with {facts.camera}") if said]


def _style(facts: Facts) -> str:
    if facts.record:
        return "flat drawing by the offline stand-in"
    if facts.camera:
        return "photograph"
    return "few colours, flat" if facts.colours[0][1] > 0.6 else "not told: it is measured, not seen"


def _numbered(said: Sequence[str]) -> list[str]:
    return list(said) if len(said) < 2 else [f"Picture {n}: {one}" for n, one in enumerate(said, 1)]


def _summary(text: str, shown: Sequence[Facts]) -> str:
    pictures = " ".join(f'A picture goes with it, made from "{f.record}".' for f in shown if f.record)
    return f"{summed_up(text)} {pictures}".strip()


# ---- questions -------------------------------------------------------------------------------------------------------

Asked = tuple[str, Sequence[Facts]]


def _each(asked: Asked, say: Any) -> str:
    return " ".join(_numbered([say(facts) for facts in asked[1]]))


def _by_record(asked: Asked) -> str:
    """What the record has to do with the question."""
    question, shown = asked
    said = []
    for facts in shown:
        if not facts.record:
            said.append("It has no record of what it shows, so that cannot be told.")
            continue
        named = asks_after(question, facts.record)
        of = f" It names {listed(named)}." if named else ""
        other = [word for word in words_of(question) if singular(word) in THINGS and word not in named]
        no = f" It does not name {listed(other)}." if other else ""
        said.append(f'{OWN_RECORD} it shows "{facts.record}".{of}{no}')
    return " ".join(_numbered(said))


def _count(asked: Asked) -> str:
    """How many of what the question names the record has."""
    named = set(map(singular, words_of(asked[0])))
    found = [
        f"{sight.count} {sight.thing.shape}{'s' if sight.count > 1 else ''}"
        for facts in asked[1]
        if facts.record
        for sight in read_prompt(facts.record).sights
        if any(THINGS[word].shape == sight.thing.shape for word in named if word in THINGS)
    ]
    return f"By its own record: {listed(found)}." if found else _by_record(asked)


def _compared(asked: Asked) -> str:
    """What tells the first two pictures from each other."""
    if len(asked[1]) < 2:
        return "There is only one picture to look at."
    one, other = asked[1][:2]
    names, others = ({name for name, _ in facts.colours} for facts in (one, other))
    same = sorted(names & others)
    lighter = (
        "about equally bright"
        if abs(one.brightness - other.brightness) < 0.05
        else (f"the {'first' if one.brightness > other.brightness else 'second'} is brighter")
    )
    said = [
        f"the first is {one.width}x{one.height}, the second {other.width}x{other.height} pixels",
        f"both have {listed(same)}" if same else "they share no main colour",
        f"only the first has {listed(sorted(names - others))}" if names - others else "",
        f"only the second has {listed(sorted(others - names))}" if others - names else "",
        lighter,
    ]
    records = [f'"{facts.record}"' for facts in (one, other) if facts.record]
    told = f" By their own records they show {listed(records)}." if records else ""
    return "Compared: " + "; ".join(filter(None, said)) + "." + told


RULES: tuple[Rule[Asked], ...] = (
    (r"\b(?:compare|differ\w*|same|similar\w*|in common|both|between)\b", _compared),
    (r"\bhow many\b|\bcount\b|\bnumber of\b", _count),
    (r"\bcolou?rs?\b", lambda asked: _each(asked, lambda f: f"Its main colours are {f.told_colours}.")),
    (
        r"\b(?:size|large|big|resolution|dimensions?|pixels|wide|high|aspect|orientation|portrait|landscape)\b",
        lambda asked: _each(asked, lambda f: f"It is {f.shape}, {f.width}x{f.height} pixels as it was shown here."),
    ),
    (
        r"\b(?:bright\w*|dark\w*|light\w*|exposure|exposed|day|night)\b",
        lambda asked: _each(asked, lambda f: f"It is {f.light} (mean {f.brightness:.0%} of white)."),
    ),
    (r"\bcontrast\b", lambda asked: _each(asked, lambda f: f"Its contrast is {f.contrast:.0%} of what is possible.")),
    (
        r"\b(?:sharp\w*|blurr?\w*|focus\w*|crisp|quality)\b",
        lambda asked: _each(asked, lambda f: f"By its edges it is {f.crispness}."),
    ),
    (r"\btransparen\w*|\balpha\b", lambda asked: _each(asked, lambda f: f"{f.clear:.0%} of it is transparent.")),
    (
        r"\bwhen\b|\bdate\b|\bcamera\b|\btaken\b|\bphotograph\w*\b",
        lambda asked: _each(
            asked, lambda f: f"The file says: {listed(_written(f)) or 'nothing of a camera or a date'}."
        ),
    ),
    (
        r"^(?!.*\bhow many\b).*\b(?:what (?:is|are|do|does)|who|where|which|(?:is|are) there|does it show|describe|"
        r"show\w*|happen\w*|tell|written|text|see)\b",
        _by_record,
    ),
)
