"""The rows of every family that comes along: what is gone is served by an heir and never sent, voices are whole,
options are schemas."""

import datetime as dt

import jsonschema
import pytest
from contract import wires

from providers.catalogue import Catalogue, Model
from providers.errors import NotOffered, Unavailable
from providers.http import Http
from providers.registry import discover
from providers.types import ImageRequest, SpeechRequest, TranscriptionRequest, VideoRequest

pytestmark = pytest.mark.anyio

TODAY = dt.date(2026, 11, 21)
VOICES = {"alloy", "echo", "fable", "onyx", "nova", "shimmer"}
WITHOUT_HEIR = {"sora-2", "sora-2-pro"}
"""Their vendor named no successor: the default of the modality takes their place."""
ASKED = {"edit", "image_to_video", "inpaint", "text_to_image", "text_to_video", "transcribe", "tts", "video_to_video"}
ASKED |= {"diarization", "documents", "reference_images", "timestamps", "tools", "vision"}
FAMILIES = {wire.family.name: wire for wire in wires().values()}
MEDIA = {
    "image": lambda model: ImageRequest(model=model, prompt="a cat"),
    "video": lambda model: VideoRequest(model=model, prompt="a cat"),
    "speech": lambda model: SpeechRequest(model=model, text="Hello."),
    "transcription": lambda model: TranscriptionRequest(model=model, audio="a"),
}


def opened(name: str):
    return FAMILIES[name].family(FAMILIES[name].environment, Http())


ROWS = [row for name in sorted(FAMILIES) for row in opened(name).models]
CATALOGUE = Catalogue(tuple(ROWS), today=lambda: TODAY)
RETIRED = [row for row in ROWS if row.retired(TODAY)]


def named(row: Model) -> str:
    return row.name


def test_every_family_with_a_wire_is_here():
    assert {family.name for family in discover() if family.base_url_name} == set(FAMILIES)


# ---- what is gone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for row in RETIRED for name in (row.id, row.name, *row.aliases)])
def test_every_retired_name_is_served_by_a_living_model_and_told(name):
    row = CATALOGUE.named(name)[0]
    chosen = CATALOGUE.choose(row.modality, name)
    assert not chosen.model.retired(TODAY)
    assert row.id in chosen.warnings[0]
    assert chosen.model.id in chosen.warnings[0]


@pytest.mark.parametrize("row", [row for row in RETIRED if row.id not in WITHOUT_HEIR], ids=named)
def test_heir_is_the_one_that_is_named_and_fits(row):
    heir = row
    while heir.retired(TODAY):
        assert heir.successor, f"{heir.name} names nobody"
        heir = CATALOGUE.get(heir.successor)
    assert CATALOGUE.choose(row.modality, row.name).model == heir
    assert heir.modality == row.modality


@pytest.mark.parametrize("row", [row for row in RETIRED if row.modality in MEDIA], ids=named)
async def test_retired_model_is_not_sent(row):
    family = opened(row.vendor)
    with pytest.raises(Unavailable, match="retired"):
        await family.submit(MEDIA[row.modality](row.id), {})
    await family.http.aclose()
    await family.aclose()


@pytest.mark.parametrize("row", [row for row in ROWS if not row.retired(TODAY)], ids=named)
async def test_model_of_another_kind_is_not_sent(row):
    family = opened(row.vendor)
    for modality in MEDIA.keys() - {row.modality}:
        with pytest.raises(NotOffered):
            await family.submit(MEDIA[modality](row.id), {})
    await family.http.aclose()
    await family.aclose()


@pytest.mark.parametrize("day", [TODAY, dt.date(2027, 6, 1)])
def test_heir_can_do_what_was_asked_of_the_model_that_is_gone(day):
    catalogue = Catalogue(tuple(ROWS), today=lambda: day)
    for row in ROWS:
        for need in ASKED & set(row.capabilities) if row.retired(day) else ():
            chosen = catalogue.choose(row.modality, row.name, {need})
            assert chosen.model.can({need})
            assert row.id in chosen.warnings[0]


# ---- voices and options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [row for row in ROWS if "tts" in row.capabilities], ids=named)
def test_every_model_that_speaks_has_the_six_voices(row):
    family = opened(row.vendor)
    assert set(family.voices) == VOICES
    assert all(family.voice_for(row, voice) for voice in VOICES)


@pytest.mark.parametrize("row", [row for row in ROWS if row.options], ids=named)
def test_options_are_schemas(row):
    for schema in row.options.values():
        jsonschema.Draft202012Validator.check_schema(schema)
