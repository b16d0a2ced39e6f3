"""OpenAI's edits: which pictures and masks go out and how, and the options of its image models."""

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jsonschema
import pytest
import respx
from openai import AsyncOpenAI
from openai.types.audio.transcription_create_params import TranscriptionCreateParamsBase
from openai.types.image_edit_params import ImageEditParamsBase
from openai.types.image_generate_params import ImageGenerateParamsBase
from PIL import Image

from providers.catalogue import Model, load_models
from providers.errors import NotOffered
from providers.http import Http
from providers.masks import png_of, transparent_mask
from providers.openai import OpenAI
from providers.types import Done, EditRequest, ImageRequest, Media, Output

pytestmark = pytest.mark.anyio

API = "https://api.openai.com/v1"
PICTURE = {"created": 1, "data": [{"b64_json": base64.b64encode(b"\x89PNG").decode()}]}
PHOTO = png_of(Image.new("RGB", (4, 2), "red"))
MASK = png_of(Image.frombytes("L", (4, 2), bytes([255, 0, 0, 0, 0, 0, 0, 0])))
MEDIA = {"asset_1": PHOTO, "asset_2": Media("image/jpeg", b"jpeg"), "asset_m": MASK}
ROWS = {row.id: row for row in load_models("providers", "openai.toml")}


@pytest.fixture
async def family(anyio_backend: str) -> AsyncIterator[OpenAI]:
    http = Http()
    family = OpenAI({"OPENAI_API_KEY": "sk-secret"}, http)
    yield family
    await family.aclose()
    await http.aclose()


@pytest.fixture
def edits(openai_api: respx.MockRouter) -> respx.Route:
    return openai_api.post(f"{API}/images/edits").respond(json=PICTURE)


def edit(**more: Any) -> EditRequest:
    return EditRequest(**{"model": "gpt-image-2.6-flare", "prompt": "at night", "image": "asset_1", **more})


def drawing(**options: Any) -> ImageRequest:
    return ImageRequest(model="gpt-image-2.6-sunburst", prompt="a cat", options=options)


def form(request: httpx2.Request) -> list[str]:
    """The parts of a multipart request: their headers and content, without the boundary."""
    boundary = request.headers["content-type"].partition("boundary=")[2]
    return sorted(request.content.decode("latin-1").split(f"--{boundary}"))


# ---- what goes out ---------------------------------------------------------------------------------------------------


async def test_an_inpaint_is_sent_as_a_plain_sdk_call_does(family: OpenAI, edits: respx.Route) -> None:
    request = edit(operation="inpaint", mask="asset_m", references=("asset_2",), n=2, width=1536, height=1024)
    await family.submit(request, MEDIA)
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        await plain.images.edit(
            model="gpt-image-2.6-flare",
            prompt="at night",
            n=2,
            size="1536x1024",
            output_format="png",
            image=[("image_1.png", PHOTO.read(), "image/png"), ("image_2.jpg", b"jpeg", "image/jpeg")],
            mask=("mask.png", transparent_mask(MASK, PHOTO).read(), "image/png"),
        )
    ours, theirs = (form(call.request) for call in edits.calls)
    assert ours == theirs


async def test_the_mask_is_clear_where_ours_is_white(family: OpenAI, edits: respx.Route) -> None:
    await family.submit(edit(operation="inpaint", mask="asset_m"), MEDIA)
    part = next(each for each in form(edits.calls.last.request) if 'name="mask"' in each)
    sent = Image.open(io.BytesIO(part.split("\r\n\r\n", 1)[1].encode("latin-1")))
    assert (sent.mode, sent.size) == ("RGBA", (4, 2))
    assert list(sent.getchannel("A").tobytes()) == [0, 255, 255, 255, 255, 255, 255, 255]


async def test_an_edit_without_a_size_keeps_the_shape(family: OpenAI, edits: respx.Route) -> None:
    result = await family.submit(edit(), MEDIA)
    content = edits.calls.last.request.content
    assert b'name="size"\r\n\r\nauto' in content
    assert b'name="mask"' not in content
    assert isinstance(result, Done)
    assert result.outputs == (Output(data=b"\x89PNG"),)


async def test_the_options_of_an_edit_go_out_with_it(family: OpenAI, edits: respx.Route) -> None:
    options = {"quality": "high", "background": "opaque", "output_format": "webp", "output_compression": 80}
    await family.submit(edit(model="gpt-image-1.5", options={**options, "input_fidelity": "high"}), MEDIA)
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        await plain.images.edit(
            model="gpt-image-1.5",
            prompt="at night",
            n=1,
            size="auto",
            image=[("image_1.png", PHOTO.read(), "image/png")],
            quality="high",
            background="opaque",
            output_format="webp",
            output_compression=80,
            input_fidelity="high",
        )
    ours, theirs = (form(call.request) for call in edits.calls)
    assert ours == theirs


async def test_the_options_of_a_drawing_go_out_with_it(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.post(f"{API}/images/generations").respond(json=PICTURE)
    await family.submit(drawing(quality="max", complexity="low", background="transparent", moderation="low"), {})
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        await plain.images.generate(
            model="gpt-image-2.6-sunburst",
            prompt="a cat",
            n=1,
            size="1024x1024",
            output_format="png",
            quality="max",
            complexity="low",
            background="transparent",
            moderation="low",
        )
    ours, theirs = (json.loads(call.request.content) for call in route.calls)
    assert ours == theirs


async def test_an_option_of_drawings_alone_is_dropped_from_an_edit_aloud(family: OpenAI, edits: respx.Route) -> None:
    result = await family.submit(edit(options={"moderation": "low"}), MEDIA)
    assert b"moderation" not in edits.calls.last.request.content
    assert isinstance(result, Done)
    assert "knows no moderation for a picture with others to start from" in result.warnings[0]


async def test_a_harmless_option_the_model_does_not_know_is_dropped_aloud(
    openai_api: respx.MockRouter, family: OpenAI
) -> None:
    route = openai_api.post(f"{API}/images/generations").respond(json=PICTURE)
    request = ImageRequest(
        model="gpt-image-1.5", prompt="a cat", options={"user": "u", "seed": 1, "input_fidelity": "low"}
    )
    result = await family.submit(request, {})
    assert set(json.loads(route.calls.last.request.content)) == {"model", "prompt", "n", "size", "output_format"}
    assert isinstance(result, Done)
    assert [warning.split()[2:5] for warning in result.warnings] == [
        ["no", "option", "user;"],
        ["no", "option", "seed;"],
        ["no", "input_fidelity", "for"],
    ]


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (edit(operation="inpaint"), "needs a mask"),
        (edit(operation="upscale"), "does not upscale; it can: edit, inpaint"),
        (edit(operation="remove_background"), "does not remove background"),
        (edit(prompt=" "), "say what the picture is to become"),
        (edit(image="asset_9"), "asset_9 is not attached"),
        (edit(mask="asset_2"), "cannot be read as a picture"),
        (edit(references=("asset_2",) * 16), "at most 16 pictures to start from; this request has 17"),
        (edit(options={"style": "vivid"}), "knows no option 'style'; it knows: background, "),
        (edit(model="gpt-image-2", options={"quality": "max"}), "does not take this quality"),
        (edit(model="gpt-image-2", options={"input_fidelity": "high"}), "no option 'input_fidelity'"),
        (edit(options={"background": "transparent", "output_format": "jpeg"}), "no transparent JPEG"),
        (edit(options={"output_compression": 50}), "set output_format"),
    ],
)
async def test_what_cannot_be_done_is_refused_before_it_is_sent(
    openai_api: respx.MockRouter, family: OpenAI, request_: EditRequest, said: str
) -> None:
    with pytest.raises(NotOffered, match=said):
        await family.submit(request_, MEDIA)
    assert not openai_api.calls


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.options], ids=lambda row: row.id)
def test_every_option_is_a_parameter_of_the_sdk(row: Model) -> None:
    if row.modality == "transcription":
        assert set(row.options) <= set(TranscriptionCreateParamsBase.__annotations__)
    else:
        assert set(row.options) - {"moderation"} <= set(ImageEditParamsBase.__annotations__)
        assert set(row.options) - {"input_fidelity"} <= set(ImageGenerateParamsBase.__annotations__)
    for schema in row.options.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "row", [row for row in ROWS.values() if row.id.startswith("gpt-image")], ids=lambda row: row.id
)
def test_every_gpt_image_model_edits_inpaints_and_takes_several_pictures(row: Model) -> None:
    assert row.can(["edit", "inpaint", "multi_image", "reference_images"])
