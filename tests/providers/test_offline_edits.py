"""Pictures changed by the words of an instruction, by masks, at their edges, and clips changed by the same words."""

import asyncio
import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from providers.errors import InvalidRequest, NotOffered
from providers.http import Http
from providers.offline import Offline
from providers.offline_media.film import film_scene
from providers.offline_media.instruction import read_edit
from providers.offline_media.picture import draw_picture
from providers.offline_media.records import record_of_picture, record_of_sound
from providers.types import Done, EditRequest, ImageRequest, Media, Ticket, VideoRequest

pytestmark = pytest.mark.anyio

SIZE = (120, 80)
SCENE = Media("image/png", draw_picture("a red fox in the snow", SIZE, 0))
EDIT = EditRequest(model="offline-image", image="a", prompt="make it darker")


@pytest.fixture
async def offline():
    http = Http()
    family = Offline({"OFFLINE": "true"}, http)
    yield family
    await family.aclose()
    await http.aclose()


def as_media(picture: Image.Image) -> Media:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return Media("image/png", out.getvalue())


def opened(done: Done, place: int = 0) -> Image.Image:
    return Image.open(io.BytesIO(done.outputs[place].data))


def pixels(picture: Image.Image | Media) -> np.ndarray:
    if isinstance(picture, Media):
        picture = Image.open(io.BytesIO(picture.read()))
    return np.asarray(picture.convert("RGB"), dtype=int)


async def edited(offline: Offline, prompt: str = "", image: Media = SCENE, mask: Media | None = None, **more) -> Done:
    request = EDIT.model_copy(update={"prompt": prompt, "mask": "m" if mask else None, **more})
    done = await offline.submit(request, {"a": image, **({"m": mask} if mask else {})})
    assert isinstance(done, Done)
    return done


@pytest.fixture
def mask() -> Media:
    picture = Image.new("L", SIZE)
    ImageDraw.Draw(picture).rectangle((40, 20, 80, 60), fill=255)
    return as_media(picture)


# ---- by words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "measure", "grows"),
    [
        ("make it darker", lambda p: p.mean(), False),
        ("Brighter, please", lambda p: p.mean(), True),
        ("more contrast", lambda p: p.std(), True),
        ("less contrast", lambda p: p.std(), False),
        ("make it warmer", lambda p: p[..., 0].mean() - p[..., 2].mean(), True),
        ("cooler", lambda p: p[..., 0].mean() - p[..., 2].mean(), False),
        ("blur it", lambda p: np.abs(np.diff(p, axis=1)).sum(), False),
        ("sharpen it", lambda p: np.abs(np.diff(p, axis=1)).sum(), True),
        ("more saturated", lambda p: (p.max(axis=2) - p.min(axis=2)).mean(), True),
        ("tint it green", lambda p: p[..., 1].mean() - p[..., 0].mean(), True),
    ],
)
async def test_word_does_what_it_says(offline, prompt, measure, grows):
    done = await edited(offline, prompt)
    assert done.warnings == ()
    assert bool(measure(pixels(opened(done))) > measure(pixels(SCENE))) is grows


@pytest.mark.parametrize("prompt", ["black and white", "make it grayscale", "turn it into a b&w photo"])
async def test_grey_picture_has_no_colour(offline, prompt):
    changed = pixels(opened(await edited(offline, prompt)))
    assert (changed.max(axis=2) - changed.min(axis=2)).max() == 0


@pytest.mark.parametrize(
    ("prompt", "size"),
    [
        ("rotate it 90 degrees", (80, 120)),
        ("turn it upside down", SIZE),
        ("crop it to a square", (80, 80)),
        ("crop to 16:9", (120, 68)),
        ("make it larger", (180, 120)),
        ("smaller", (72, 48)),
        ("flip it", SIZE),
        ("add a blue frame", SIZE),
        ('add the caption "Winter sale"', SIZE),
        ("add a balloon", SIZE),
    ],
)
async def test_shape_is_changed_as_asked(offline, prompt, size):
    done = await edited(offline, prompt)
    assert opened(done).size == size
    assert done.warnings == ()
    assert opened(done).tobytes() != Image.open(io.BytesIO(SCENE.read())).tobytes()


async def test_left_and_right_turns_differ(offline):
    left, right = [opened(await edited(offline, f"rotate 90 degrees to the {side}")) for side in ("left", "right")]
    assert left.rotate(180).tobytes() == right.tobytes()


async def test_several_words_are_all_followed(offline):
    changed = opened(await edited(offline, "crop it to a square and make it black and white"))
    assert changed.size == (80, 80)
    assert np.ptp(pixels(changed), axis=2).max() == 0


async def test_instruction_without_a_known_word_is_written_on_the_picture(offline):
    done = await edited(offline, "give the fox a top hat")
    assert "does not know how" in done.warnings[0]
    assert "sepia" in done.warnings[0]
    assert (pixels(opened(done))[:40] == pixels(SCENE)[:40]).all()


async def test_same_request_gives_the_same_bytes_and_variants_differ(offline):
    one, two = await edited(offline, "darker", n=2), await edited(offline, "darker", n=2)
    assert one == two
    assert one.outputs[0] != one.outputs[1]


async def test_variants_that_cannot_differ_are_told(offline):
    done = await edited(offline, "mirror it", n=2)
    assert "alike" in done.warnings[0]


async def test_transparency_stays(offline):
    clear = Image.new("RGBA", SIZE, (200, 100, 50, 0))
    ImageDraw.Draw(clear).rectangle((10, 10, 60, 60), fill=(200, 100, 50, 255))
    changed = opened(await edited(offline, "darker", as_media(clear)))
    assert changed.getchannel("A").getextrema() == (0, 255)


async def test_size_that_is_asked_for_is_made(offline):
    assert opened(await edited(offline, "darker", width=64, height=64)).size == (64, 64)


async def test_references_are_pinned_to_the_result(offline):
    request = EDIT.model_copy(update={"references": ("b",)})
    done = await offline.submit(request, {"a": SCENE, "b": as_media(Image.new("RGB", (50, 50), "lime"))})
    assert (pixels(opened(done)) == (0, 255, 0)).all(axis=2).any()


async def test_record_tells_what_was_changed(offline):
    done = await edited(offline, "make it sepia")
    assert (
        record_of_picture(Media("image/png", done.outputs[0].data)) == "a red fox in the snow; changed: make it sepia"
    )


@given(st.text(max_size=120))
@settings(max_examples=50, deadline=None)
def test_any_instruction_can_be_followed_or_not(text):
    picture = Image.new("RGB", (32, 24), "teal")
    for step in read_edit(text):
        picture = step.change(picture, 1.0)
    assert picture.mode == "RGB"


# ---- by operations ---------------------------------------------------------------------------------------------------


async def test_inpaint_changes_the_masked_part_alone(offline, mask):
    changed = pixels(opened(await edited(offline, "a blue whale", mask=mask, operation="inpaint")))
    assert (changed[25:55, 45:75] != pixels(SCENE)[25:55, 45:75]).any()
    assert (changed[:, :30] == pixels(SCENE)[:, :30]).all()


async def test_erase_fills_from_the_surroundings(offline, mask):
    spotted = Image.new("RGB", SIZE, (10, 120, 200))
    ImageDraw.Draw(spotted).ellipse((45, 25, 75, 55), fill=(255, 0, 0))
    changed = pixels(opened(await edited(offline, image=as_media(spotted), mask=mask, operation="erase")))
    assert np.abs(changed - (10, 120, 200)).max() <= 3


@pytest.mark.parametrize("operation", ["inpaint", "erase"])
async def test_operation_without_its_mask_is_refused(offline, operation):
    with pytest.raises(InvalidRequest, match="mask"):
        await edited(offline, "a fox", operation=operation)


async def test_mask_keeps_an_edit_to_its_part(offline, mask):
    changed = pixels(opened(await edited(offline, "make it darker", mask=mask)))
    assert (changed[:, :40] == pixels(SCENE)[:, :40]).all()
    assert changed[30:50, 50:70].mean() < pixels(SCENE)[30:50, 50:70].mean()


async def test_mask_that_cannot_be_used_is_told(offline, mask):
    done = await edited(offline, "crop it to a square", mask=mask)
    assert "mask was not used" in done.warnings[0]


async def test_option_that_means_nothing_here_is_told(offline):
    done = await edited(offline, "darker", options={"left": 5})
    assert done.warnings == ("left has no meaning for this; it was ignored.",)


async def test_outpaint_adds_the_pixels_asked_for_and_keeps_the_picture(offline):
    done = await edited(offline, operation="outpaint", options={"left": 30, "down": 10})
    changed = opened(done)
    assert changed.size == (150, 90)
    assert (pixels(changed)[20:60, 60:140] == pixels(SCENE)[20:60, 30:110]).all()


@pytest.mark.parametrize("options", [{}, {"left": 2048, "right": 2048}])
async def test_outpaint_of_nothing_or_too_much_is_refused(offline, options):
    with pytest.raises(InvalidRequest):
        await edited(offline, operation="outpaint", options=options)


async def test_background_is_taken_away_and_the_thing_stays(offline):
    plain = Image.new("RGB", SIZE, "white")
    ImageDraw.Draw(plain).ellipse((40, 20, 80, 60), fill="red")
    alpha = opened(await edited(offline, image=as_media(plain), operation="remove_background")).getchannel("A")
    assert (alpha.getpixel((2, 2)), alpha.getpixel((60, 40)), alpha.getpixel((117, 77))) == (0, 255, 0)


async def test_background_is_taken_away_or_exchanged_by_words_too(offline):
    plain = Image.new("RGB", SIZE, "white")
    ImageDraw.Draw(plain).ellipse((40, 20, 80, 60), fill="red")
    assert opened(await edited(offline, "remove the background", as_media(plain))).mode == "RGBA"
    other = opened(await edited(offline, "change the background to a blue sea", as_media(plain)))
    assert pixels(other)[40, 60].tolist() == [255, 0, 0]
    assert pixels(other)[2, 2].tolist() != [255, 255, 255]


async def test_picture_that_is_all_background_is_told(offline):
    done = await edited(offline, image=as_media(Image.new("RGB", SIZE, "white")), operation="remove_background")
    assert "Nearly all" in done.warnings[0]


@pytest.mark.parametrize(("options", "size"), [({}, (240, 160)), ({"factor": 4}, (480, 320))])
async def test_upscale_has_more_pixels_and_says_no_more_detail(offline, options, size):
    done = await edited(offline, operation="upscale", options=options)
    assert opened(done).size == size
    assert "not detail" in done.warnings[0]


@pytest.mark.parametrize(
    "update",
    [
        {"operation": "search_replace"},
        {"operation": "search_recolor"},
        {"options": {"strength": 1}},
        {"operation": "upscale", "options": {"factor": 9}},
        {"references": ("a", "a2", "a3", "a4")},
    ],
)
async def test_what_is_not_offered_is_refused(offline, update):
    media = dict.fromkeys(("a", "a2", "a3", "a4"), SCENE)
    with pytest.raises(NotOffered):
        await offline.submit(EDIT.model_copy(update=update), media)


async def test_every_operation_it_offers_is_in_its_row(offline, mask):
    row = offline.row("offline-image")
    for operation in ("edit", "inpaint", "erase", "outpaint", "remove_background", "upscale"):
        assert operation in row.capabilities
        await edited(
            offline, "a fox", mask=mask, operation=operation, options={"left": 8} if operation == "outpaint" else {}
        )


async def test_drawing_says_what_it_was_drawn_from(offline):
    done = await offline.submit(
        ImageRequest(model="offline-image", prompt="a café by the sea\0", width=64, height=64), {}
    )
    assert opened(done).info["Description"] == "a café by the sea"
    assert record_of_picture(Media("image/png", done.outputs[0].data)) == "a café by the sea"


async def test_comment_of_anybody_else_is_no_record():
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG", comment=b"a cat")
    assert record_of_picture(Media("image/jpeg", out.getvalue())) is None


# ---- clips -----------------------------------------------------------------------------------------------------------

CLIP = Media("video/mp4", film_scene("waves at night", (160, 96), 2, 0, lambda progress: None))


async def filmed(offline: Offline, prompt: str, **more) -> tuple[list[Image.Image], float, Done]:
    request = VideoRequest(model="offline-video", prompt=prompt, **{"video": "v", **more})
    done = await offline.submit(request, {"v": CLIP, "a": SCENE})
    assert isinstance(done, Done)
    with av.open(io.BytesIO(done.outputs[0].data)) as container:
        return [frame.to_image() for frame in container.decode(video=0)], container.duration / 1_000_000, done


@pytest.mark.parametrize(
    ("prompt", "seconds"),
    [("slow motion", 4), ("twice as fast, 2x", 1), ("the first 1 second", 1), ("black and white", 2)],
)
async def test_clip_runs_as_long_as_its_change_says(offline, prompt, seconds):
    frames, length, done = await filmed(offline, prompt)
    assert length == pytest.approx(seconds, abs=0.1)
    assert frames
    assert done.warnings == ()


async def test_clip_without_colour_and_in_another_shape(offline):
    frames, _, _ = await filmed(offline, "make it black and white and crop it to a square")
    assert frames[0].size == (96, 96)
    assert np.ptp(pixels(frames[0]), axis=2).max() <= 3


async def test_clip_played_backwards_ends_as_it_began(offline):
    plain, _, _ = await filmed(offline, "sharpen it")
    back, _, _ = await filmed(offline, "play it backwards and sharpen it")
    assert np.abs(pixels(plain[0]) - pixels(back[-1])).mean() < np.abs(pixels(plain[0]) - pixels(back[0])).mean()


async def test_change_of_a_clip_that_is_not_known_is_written_on_it(offline):
    _, _, done = await filmed(offline, "make the sea angry")
    assert "does not know how" in done.warnings[0]
    media = Media("video/mp4", done.outputs[0].data)
    assert record_of_sound(media) == "waves at night; changed: make the sea angry"


async def test_references_are_pinned_to_a_clip(offline):
    request = VideoRequest(model="offline-video", prompt="a field", duration_s=0.5, width=160, height=96)
    lime = as_media(Image.new("RGB", (60, 60), "lime"))
    ticket = await offline.submit(request, {})
    done = await offline.submit(request.model_copy(update={"references": ("b",)}), {"b": lime})
    assert isinstance(ticket, Ticket)
    with av.open(io.BytesIO(done.outputs[0].data)) as container:
        first = pixels(next(container.decode(video=0)).to_image())
    assert ((first[..., 1] > 200) & (first[..., 0] < 80)).any()


async def test_file_that_is_no_clip_is_refused(offline):
    request = VideoRequest(model="offline-video", prompt="darker", video="v")
    with pytest.raises(InvalidRequest):
        await offline.submit(request, {"v": Media("video/mp4", b"\0\0\0\x18ftypmp42broken")})


async def test_clip_nobody_waits_for_is_given_up(offline):
    request = VideoRequest(model="offline-video", prompt="a fox", image="a", duration_s=60, width=1280, height=720)
    waiting = asyncio.create_task(offline.submit(request, {"a": SCENE}))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert opened(await edited(offline, "darker")).size == SIZE
