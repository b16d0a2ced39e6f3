"""The catalogue: names and aliases, the choice of a model, heirs of the retired, and what a request costs."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from providers.catalogue import Catalogue, Lane, Model, load_lanes, load_models, needs_of, parse_models
from providers.errors import NotOffered, Unavailable
from providers.prices import media_cost, media_price
from providers.types import ImageRequest, SpeechRequest, Usage, VideoRequest

TODAY = dt.date(2026, 11, 20)

ROWS = """
vendor = "acme"

[[model]]
id = "brush"
modality = "image"
aliases = ["paint"]
rank = 10
capabilities = ["text_to_image"]
price = [{ unit = "image", usd = 0.04 }]

[[model]]
id = "editor"
modality = "image"
rank = 20
capabilities = ["text_to_image", "reference_images"]

[[model]]
id = "restyler"
modality = "image"
rank = 30
capabilities = ["text_to_image", "reference_images"]
limits = { min_images_in = 1 }

[[model]]
id = "old-brush"
modality = "image"
aliases = ["classic"]
shutdown = 2026-05-12
successor = "older-heir"
capabilities = ["text_to_image"]

[[model]]
id = "older-heir"
modality = "image"
status = "retired"
successor = "brush"
capabilities = ["text_to_image"]

[[model]]
id = "film"
modality = "video"
shutdown = 2026-12-31
successor = "film-2"
capabilities = ["text_to_video"]
"""


def catalogue(unavailable: dict[str, str] | None = None, today: dt.date = TODAY, rows: str = ROWS) -> Catalogue:
    return Catalogue(parse_models(rows), unavailable or {}, today=lambda: today)


def model(**fields: object) -> Model:
    return Model.model_validate({"id": "m", "vendor": "acme", "modality": "image"} | fields)


def priced(*prices: tuple[str, str], **fields: object) -> Model:
    return model(price=[{"unit": unit, "usd": usd} for unit, usd in prices], **fields)


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["brush", "acme/brush", "paint"])
def test_model_is_found_by_id_full_name_and_alias(name):
    assert catalogue().choose("image", name).model.id == "brush"


def test_name_claimed_twice_by_one_vendor_is_an_error():
    with pytest.raises(ValueError, match="'paint' is claimed by acme/brush and acme/paint"):
        Catalogue((*parse_models(ROWS), model(id="paint")))


def test_short_name_of_two_vendors_is_answered_with_both_full_names():
    both = Catalogue((*parse_models(ROWS), model(id="brush", vendor="rival", capabilities=["text_to_image"])))
    with pytest.raises(NotOffered, match="write acme/brush or rival/brush"):
        both.choose("image", "brush")
    assert both.choose("image", "rival/brush").model.vendor == "rival"


def test_model_is_shown_by_its_full_name_where_the_short_one_means_several():
    both = Catalogue((*parse_models(ROWS), model(id="brush", vendor="rival")))
    assert {both.shown_name(row) for row in both.named("brush")} == {"acme/brush", "rival/brush"}
    assert catalogue().shown_name(catalogue().choose("image", "brush").model) == "brush"


def test_unknown_name_lists_what_is_available():
    with pytest.raises(NotOffered, match="brush, editor"):
        catalogue().choose("image", "crayon")


def test_model_of_another_modality_is_not_offered():
    with pytest.raises(NotOffered):
        catalogue().choose("video", "brush")


def test_misspelt_field_of_a_row_is_an_error():
    with pytest.raises(ValidationError, match="shutdwn"):
        parse_models('vendor = "a"\n[[model]]\nid = "x"\nmodality = "image"\nshutdwn = 2026-01-01')


# ---- the choice ------------------------------------------------------------------------------------------------------


def test_default_is_the_lowest_rank_that_can_do_it():
    assert catalogue().choose("image").model.id == "brush"
    assert catalogue().choose("image", needs={"text_to_image", "reference_images"}).model.id == "editor"


def test_model_that_needs_an_image_is_offered_only_with_one():
    assert "restyler" not in [m.id for m in catalogue().offered("image", {"text_to_image"})]
    assert "restyler" in [m.id for m in catalogue().offered("image", {"text_to_image", "reference_images"})]


def test_model_that_cannot_do_it_names_those_that_can():
    with pytest.raises(NotOffered, match="able and available here: editor"):
        catalogue().choose("image", "brush", needs={"reference_images"})


def test_vendor_without_a_key_is_named():
    with pytest.raises(Unavailable, match="Set ACME_KEY"):
        catalogue({"acme": "Set ACME_KEY to use acme."}).choose("image", "brush")
    with pytest.raises(Unavailable, match="Set ACME_KEY"):
        catalogue({"acme": "Set ACME_KEY to use acme."}).choose("image")


@pytest.mark.parametrize(
    ("request_", "needs"),
    [
        (ImageRequest(model="m", prompt="x"), {"text_to_image"}),
        (ImageRequest(model="m", prompt="x", references=("a",)), {"text_to_image", "reference_images"}),
        (VideoRequest(model="m", prompt="x"), {"text_to_video"}),
        (VideoRequest(model="m", prompt="x", image="a"), {"image_to_video"}),
        (SpeechRequest(model="m", text="x"), {"tts"}),
    ],
)
def test_needs_of_a_request(request_, needs):
    assert needs_of(request_) == needs


# ---- lifecycle -------------------------------------------------------------------------------------------------------


def test_retired_model_is_replaced_by_its_living_heir_with_a_warning():
    choice = catalogue().choose("image", "classic", needs={"text_to_image"})
    assert choice.model.id == "brush"
    assert choice.warnings == ("classic (old-brush) was retired by its vendor on 2026-05-12; brush was used instead.",)


def test_heir_that_cannot_do_it_gives_way_to_one_that_can():
    assert catalogue().choose("image", "old-brush", needs={"reference_images"}).model.id == "editor"


def test_retired_model_without_any_heir_is_unavailable():
    rows = 'vendor = "a"\n[[model]]\nid = "x"\nmodality = "image"\nstatus = "retired"\nsuccessor = "x"'
    with pytest.raises(Unavailable, match="nothing available here replaces it"):
        catalogue(rows=rows).choose("image", "x")


def test_model_lives_until_the_day_of_its_shutdown():
    the_day = dt.date(2026, 12, 31)
    assert catalogue(today=the_day - dt.timedelta(days=1)).choose("video", "film").warnings == ()
    with pytest.raises(Unavailable):
        catalogue(today=the_day).choose("video", "film")


@pytest.mark.parametrize(("days_before", "warned"), [(61, False), (60, True), (1, True), (0, False)])
def test_model_that_goes_within_60_days_warns(days_before, warned):
    today = dt.date(2026, 12, 31) - dt.timedelta(days=days_before)
    sentence = "film will be retired by acme on 2026-12-31; its successor is film-2."
    assert (sentence in catalogue(today=today).warnings()) == warned


def test_model_of_a_vendor_without_a_key_does_not_warn():
    assert catalogue({"acme": "no key"}).warnings() == []


# ---- equals ----------------------------------------------------------------------------------------------------------


IMAGE = {"capabilities": ["text_to_image"]}
EDIT = {"capabilities": ["text_to_image", "reference_images"], "limits": {"max_images_in": 3}}
CLIP = {"modality": "video", "capabilities": ["text_to_video"]}
SOUND = {"modality": "video", "capabilities": ["text_to_video", "audio"]}
VOICE = {"modality": "speech", "capabilities": ["tts"]}
ACTOR = {"modality": "speech", "capabilities": ["tts", "instructions"]}
PICTURE = ImageRequest(model="m", prompt="x")


def equals(model_: Model, *others: Model, request=PICTURE, unavailable: dict[str, str] | None = None) -> list[str]:
    found = Catalogue((model_, *others), unavailable or {}, today=lambda: TODAY).equals(model_, request)
    return [each.id for each in found]


def test_equals_can_do_what_is_needed_best_first():
    worse, better = model(id="worse", rank=2, **EDIT), model(id="better", rank=1, **IMAGE)
    assert equals(model(**IMAGE), worse, better, model(id="film", **CLIP)) == ["better", "worse"]


def test_model_that_takes_no_references_is_no_equal_for_an_edit():
    edit = ImageRequest(model="m", prompt="x", references=("a",))
    assert equals(model(**EDIT), model(id="plain", **IMAGE), model(id="editor", **EDIT), request=edit) == ["editor"]


@pytest.mark.parametrize(("references", "found"), [(1, ["editor"]), (3, ["editor"]), (4, [])])
def test_equal_starts_from_as_many_pictures(references, found):
    request = ImageRequest(model="m", prompt="x", references=("a",) * references)
    assert equals(model(**EDIT), model(id="editor", **EDIT), request=request) == found


@pytest.mark.parametrize(("words", "found"), [("x" * 10, ["terse"]), ("x" * 11, []), ("🦊" * 6, [])])
def test_equal_takes_as_long_a_prompt(words, found):
    terse = model(id="terse", limits={"max_prompt_chars": 10}, **IMAGE)
    assert equals(model(**IMAGE), terse, request=ImageRequest(model="m", prompt=words)) == found


def test_silent_clip_is_no_equal_of_one_with_sound():
    request = VideoRequest(model="m", prompt="x")
    silent, loud = model(id="silent", **CLIP), model(id="loud", **SOUND)
    assert equals(model(**CLIP), silent, loud, request=request) == ["silent"]
    assert equals(model(**SOUND), silent, loud, request=request) == ["loud"]


@pytest.mark.parametrize(("instructions", "found"), [(None, ["actor", "reader"]), ("whisper", ["actor"])])
def test_instructions_are_for_those_who_take_them(instructions, found):
    request = SpeechRequest(model="m", text="x", instructions=instructions)
    assert equals(model(**ACTOR), model(id="actor", **ACTOR), model(id="reader", **VOICE), request=request) == found


@pytest.mark.parametrize(("n", "found"), [(1, ["one", "four"]), (4, ["four"]), (5, [])])
def test_equal_makes_as_many_pictures_in_one_call(n, found):
    one, four = model(id="one", rank=1, **IMAGE), model(id="four", rank=2, limits={"max_images_out": 4}, **IMAGE)
    request = ImageRequest(model="m", prompt="x", n=n)
    assert equals(model(limits={"max_images_out": 10}, **IMAGE), one, four, request=request) == found


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"duration_min": 2, "duration_max": 10}, ["other"]),
        ({"durations": [4, 8]}, ["other"]),
        ({"durations": [5]}, []),
        ({"duration_min": 12}, []),
    ],
)
def test_equal_makes_a_clip_as_near_to_the_length_asked_for(limits, found):
    request = VideoRequest(model="m", prompt="x", duration_s=8)
    ours = model(limits={"durations": [6, 10]}, **CLIP)
    assert equals(ours, model(id="other", limits=limits, **CLIP), request=request) == found


def test_stand_in_that_works_for_nothing_is_no_equal_of_a_paid_model():
    free = model(id="free", vendor="offline", capabilities=["text_to_image", "free"])
    assert (equals(model(**IMAGE), free), equals(free, model(**IMAGE))) == ([], [])


def test_model_that_cannot_be_used_here_and_now_is_no_equal():
    gone, elsewhere = model(id="gone", status="retired", **IMAGE), model(id="keyless", vendor="rival", **IMAGE)
    assert equals(model(**IMAGE), gone, elsewhere, unavailable={"rival": "no key"}) == []


# ---- lanes -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    """A package to put a family's rows into."""
    folder = tmp_path / f"lanes_of_{abs(hash(tmp_path))}"  # a name of its own: packages are imported once
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_lanes_are_read_from_the_file_of_the_models(package):
    lanes = "[lanes]\nimage = { per_minute = 500 }\nvideo = { concurrent = 3, per_minute = 9 }\n"
    (package / "acme.toml").write_text(ROWS.replace("[[model]]", lanes + "[[model]]", 1))
    found = load_lanes(package.name, "acme.toml")
    assert found == {"image": Lane(per_minute=500), "video": Lane(concurrent=3, per_minute=9)}
    assert len(load_models(package.name, "acme.toml")) == len(parse_models(ROWS))


def test_file_without_lanes_has_none(package):
    (package / "acme.toml").write_text(ROWS)
    assert load_lanes(package.name, "acme.toml") == {}


@pytest.mark.parametrize("lane", ["{ concurrent = 0 }", "{ per_minute = -1 }", "{ per_hour = 7 }"])
def test_lane_that_makes_no_sense_is_an_error(package, lane):
    (package / "acme.toml").write_text(f"[lanes]\nimage = {lane}\n")
    with pytest.raises(ValidationError):
        load_lanes(package.name, "acme.toml")


# ---- prices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "request_", "usd"),
    [
        (priced(("image", "0.04")), ImageRequest(model="m", prompt="x", n=3), "0.12"),
        (priced(("image", "0.05"), ("image", "0.08")), ImageRequest(model="m", prompt="x"), "0.08"),
        (priced(("megapixel", "0.003")), ImageRequest(model="m", prompt="x", width=2000, height=1000), "0.006"),
        (
            priced(
                ("first_output_megapixel", "0.03"), ("further_output_megapixel", "0.015"), ("input_megapixel", "0.01")
            ),
            ImageRequest(model="m", prompt="x", width=2000, height=1000, references=("a", "b")),
            "0.065",
        ),
        (priced(("second", "0.12"), modality="video"), VideoRequest(model="m", prompt="x", duration_s=5), "0.60"),
        (
            priced(("second", "0.40"), modality="video", limits={"durations": [4, 6, 8]}),
            VideoRequest(model="m", prompt="x", duration_s=5),
            "2.40",
        ),
        (priced(("1M_characters", "15"), modality="speech"), SpeechRequest(model="m", text="x" * 1000), "0.015"),
        (priced(("1K_characters", "0.1"), modality="speech"), SpeechRequest(model="m", text="x" * 500), "0.05"),
        (
            priced(("1M_image_output_tokens", "30"), limits={"reserve_output_tokens": 4000}),
            ImageRequest(model="m", prompt="x", width=1000, height=1000),
            "0.12",
        ),
        (model(capabilities=("free",)), ImageRequest(model="m", prompt="x"), "0"),
    ],
)
def test_price_of_a_request(row, request_, usd):
    assert media_price(row, request_) == Decimal(usd)


@pytest.mark.parametrize("row", [model(), priced(("second", "1")), priced(("1M_image_output_tokens", "30"))])
def test_price_that_is_not_known_is_none(row):
    assert media_price(row, ImageRequest(model="m", prompt="x")) is None


def test_cost_from_the_reported_usage_is_rounded_up():
    row = priced(("1M_image_output_tokens", "30"), ("1M_text_input_tokens", "5"), ("1M_image_input_tokens", "8"))
    usage = Usage(input_tokens=101, image_input_tokens=100, output_tokens=1000)
    assert media_cost(row, ImageRequest(model="m", prompt="x"), usage) == Decimal("0.030805")
    tiny = Usage(input_tokens=0, output_tokens=0, image_input_tokens=0)
    assert media_cost(priced(("1M_image_output_tokens", "0.1")), ImageRequest(model="m", prompt="x"), tiny) == 0


def test_cost_without_usage_is_the_price_of_the_units():
    assert media_cost(priced(("image", "0.04")), ImageRequest(model="m", prompt="x", n=2), None) == Decimal("0.08")


@pytest.mark.parametrize(
    "row", [priced(("image", "0.04"), price_is_proxy=True), priced(("1M_image_output_tokens", "30"))]
)
def test_cost_that_cannot_be_known_is_none(row):
    assert media_cost(row, ImageRequest(model="m", prompt="x"), None) is None
