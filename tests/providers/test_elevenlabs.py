"""ElevenLabs' peculiarities: its speech, whole and streamed, its voices and settings, its history, its refusals."""

import datetime as dt
import io
import json
import struct
import wave
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
from drip import Drip
from elevenlabs import VoiceSettings
from elevenlabs.client import AsyncElevenLabs
from wire_elevenlabs import API, KEY, REQUEST, SARAH, WIRE, history, item, problem

from providers.catalogue import Catalogue
from providers.elevenlabs import ElevenLabs
from providers.errors import (
    InvalidRequest,
    JobLost,
    MalformedAnswer,
    ModelGone,
    Moderated,
    NotOffered,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from providers.http import Http
from providers.prices import media_cost, media_price
from providers.types import Done, ImageRequest, Output, Pending, SpeechRequest, Ticket

pytestmark = pytest.mark.anyio

MP3 = b"ID3\x04" + bytes(60)
TICKET = Ticket(job_id="h1")
SINCE = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)


@pytest.fixture
async def family() -> AsyncIterator[ElevenLabs]:
    http = Http()
    yield ElevenLabs({"ELEVENLABS_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
async def sdk() -> AsyncIterator[AsyncElevenLabs]:
    async with httpx.AsyncClient() as client:
        yield AsyncElevenLabs(api_key=KEY, httpx_client=client)


@pytest.fixture
def speech(vendor):
    answer = httpx.Response(200, headers={"content-type": "audio/mpeg", "character-cost": "12"}, content=MP3)
    return vendor.post(url__regex=f"{API}/v1/text-to-speech/.*").mock(return_value=answer)


def asked(**fields) -> SpeechRequest:
    return SpeechRequest(**{"model": "eleven_multilingual_v2", "text": "Hello there.", **fields})


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 24000, 0, "NONE", ""))
        sound.writeframes(bytes(4800))
    return file.getvalue()


def assert_equal_requests(ours: httpx.Request, theirs: httpx.Request) -> None:
    assert ours is not theirs
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    if ours.content or theirs.content:
        assert json.loads(ours.content) == json.loads(theirs.content)
        assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert ours.headers["xi-api-key"] == theirs.headers["xi-api-key"] == KEY


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_speech_equals_the_official_clients(family, speech, sdk):
    options = {"stability": 0.4, "similarity_boost": 0.7, "style": 0.1, "use_speaker_boost": False}
    options |= {"seed": 7, "apply_text_normalization": "on", "previous_text": "Before.", "next_text": "After."}
    await family.submit(asked(voice="onyx", speed=1.1, options=options), {})
    ours = speech.calls.last.request
    settings = VoiceSettings(stability=0.4, similarity_boost=0.7, style=0.1, use_speaker_boost=False, speed=1.1)
    theirs = sdk.text_to_speech.convert(
        "nPczCjzI2devNBz1zQrb",
        text="Hello there.",
        model_id="eleven_multilingual_v2",
        output_format="mp3_44100_128",
        voice_settings=settings,
        seed=7,
        apply_text_normalization="on",
        previous_text="Before.",
        next_text="After.",
    )
    assert b"".join([piece async for piece in theirs]) == MP3
    assert_equal_requests(ours, speech.calls.last.request)


async def test_format_of_the_vendors_own_goes_before_the_common_one(family, speech):
    request = SpeechRequest(model="eleven_flash_v2_5", text="Hej.", options={"output_format": "opus_48000_64"})
    await family.submit(request, {})
    assert speech.calls.last.request.url.params["output_format"] == "opus_48000_64"
    assert "output_format" not in json.loads(speech.calls.last.request.content)


async def test_plain_wav_in_a_language_equals_the_official_clients(family, speech, sdk):
    request = SpeechRequest(model="eleven_flash_v2_5", text="Hej.", format="wav", options={"language_code": "da"})
    await family.submit(request, {})
    ours = speech.calls.last.request
    theirs = sdk.text_to_speech.convert(
        SARAH, text="Hej.", model_id="eleven_flash_v2_5", output_format="wav_24000", language_code="da"
    )
    assert [piece async for piece in theirs]
    assert_equal_requests(ours, speech.calls.last.request)


async def test_stream_equals_the_official_clients(family, speech, sdk):
    done = await family.submit(asked(stream=True), {})
    assert b"".join([piece async for piece in done.outputs[0].chunks]) == MP3
    ours = speech.calls.last.request
    theirs = sdk.text_to_speech.stream(
        SARAH, text="Hello there.", model_id="eleven_multilingual_v2", output_format="mp3_44100_128"
    )
    assert b"".join([piece async for piece in theirs]) == MP3
    assert_equal_requests(ours, speech.calls.last.request)


async def test_questions_equal_the_official_clients(family, vendor, sdk):
    models = vendor.get(f"{API}/v1/models").respond(json=[{"model_id": "eleven_v3"}])
    voices = vendor.get(f"{API}/v2/voices").respond(json={"voices": [], "has_more": False, "total_count": 0})
    listing = vendor.get(f"{API}/v1/history").mock(return_value=history(item()))
    one = vendor.get(f"{API}/v1/history/h1").respond(json=item())
    await family.refresh()
    await family.find(REQUEST, SINCE)
    await family.poll(TICKET)
    await sdk.models.list()
    await sdk.voices.search(page_size=100)
    await sdk.history.list(page_size=100)
    await sdk.history.get("h1")
    for route in (models, voices, listing, one):
        assert_equal_requests(*(call.request for call in route.calls))


@pytest.mark.parametrize("base", ["http://fake.test:9", "http://fake.test:9/v1", "http://fake.test:9/v1/"])
async def test_base_url_with_or_without_v1(vendor, base):
    route = vendor.post(f"http://fake.test:9/v1/text-to-speech/{SARAH}").mock(return_value=WIRE.accepted)
    http = Http()
    await ElevenLabs({"ELEVENLABS_API_KEY": KEY, "ELEVENLABS_BASE_URL": base}, http).submit(WIRE.request, {})
    await http.aclose()
    assert route.called


@pytest.mark.parametrize(
    ("voice", "path"),
    [("nova", SARAH), ("fable", "JBFqnCBsd6RMkjVDRZzb"), ("abcDEF123", "abcDEF123"), ("a/b", "a%2Fb")],
)
async def test_voice_is_the_nearest_of_the_vendors_or_one_of_the_accounts_own(family, speech, voice, path):
    await family.submit(asked(voice=voice), {})
    assert speech.calls.last.request.url.raw_path.decode().split("?")[0] == f"/v1/text-to-speech/{path}"


async def test_speed_beyond_the_range_is_warned_about(family, speech):
    done = await family.submit(asked(speed=2.0), {})
    assert sent(speech)["voice_settings"] == {"speed": 1.2}
    assert done.warnings == ("eleven_multilingual_v2 cannot speak at speed 2; 1.2 was used instead.",)


async def test_speed_that_cannot_be_changed_and_instructions_are_warned_about(family, speech):
    done = await family.submit(asked(model="eleven_v3", speed=1.1, instructions="Whisper."), {})
    assert set(sent(speech)) == {"text", "model_id"}
    assert done.warnings == (
        "eleven_v3 cannot change its speed; the one asked for was ignored.",
        "eleven_v3 takes no instructions; the ones given were ignored.",
    )


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("eleven_v3", {"style": 0.5}),
        ("eleven_flash_v2_5", {"stability": 1.5}),
        ("eleven_multilingual_v2", {"language_code": "en"}),
        ("eleven_v4", {"wobble": 1}),
    ],
)
async def test_option_a_model_does_not_take_is_refused_before_the_call(family, speech, model, options):
    with pytest.raises(NotOffered):
        await family.submit(asked(model=model, options=options), {})
    assert not speech.called


async def test_text_over_the_limit_is_refused_before_the_call(family, speech):
    with pytest.raises(NotOffered, match="at most 10000 characters"):
        await family.submit(asked(text="a" * 10_001), {})
    with pytest.raises(NotOffered, match="ask for mp3"):
        await family.submit(asked(model="eleven_flash_v2_5", text="a" * 39_000, format="wav"), {})
    assert not speech.called


async def test_pictures_and_models_of_another_kind_are_not_offered(family, speech):
    requests = [ImageRequest(model="eleven_v4", prompt="x"), SpeechRequest(model="scribe_v2", text="x")]
    for request in [*requests, SpeechRequest(model="eleven_v9", text="x")]:
        with pytest.raises(NotOffered):
            await family.submit(request, {})
    with pytest.raises(Unavailable, match="eleven_multilingual_v2"):
        await family.submit(asked(model="eleven_multilingual_v1"), {})
    assert not speech.called


# ---- the answer ------------------------------------------------------------------------------------------------------


async def test_credits_are_not_dollars(family, speech):  # trap 23: the header `character-cost` counts credits
    done = await family.submit(REQUEST, {})
    assert done == Done((Output(data=MP3),))
    row = family.row(REQUEST.model)
    assert media_price(row, REQUEST) == media_cost(row, REQUEST, done.usage) == Decimal("0.000480")


@pytest.mark.parametrize("stream", [False, True])
async def test_sound_of_another_format_than_asked_for_is_kept_and_told(family, speech, stream):  # traps 16, 23
    done = await family.submit(asked(format="wav", stream=stream), {})
    assert done.warnings == ("ElevenLabs was asked for wav and sent mpeg.",)


@pytest.mark.parametrize("length", [None, 0xFFFFFFFF, 0x7FFF0024])  # trap 21: made as it is sent
async def test_wav_is_what_was_asked_for(family, vendor, length):
    sound = wav() if length is None else wav()[:4] + struct.pack("<I", length) + wav()[8:]
    vendor.post(WIRE.submit[1]).respond(content=sound, headers={"content-type": "audio/wav"})
    done = await family.submit(asked(format="wav"), {})
    assert done == Done((Output(data=sound),))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", [{"json": {"audio": None}}, {"content": b""}])
async def test_answer_without_sound_is_malformed(family, vendor, stream, answer):
    vendor.post(url__startswith=WIRE.submit[1]).respond(200, **answer)
    with pytest.raises(MalformedAnswer):
        await family.submit(asked(stream=stream), {})


async def test_stream_that_breaks_off_has_an_unknown_outcome(family, vendor):
    class Broken(Drip):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield MP3
            raise httpx.RemoteProtocolError("gone")

    vendor.post(f"{WIRE.submit[1]}/stream").mock(return_value=httpx.Response(200, stream=Broken()))
    done = await family.submit(asked(stream=True), {})
    with pytest.raises(OutcomeUnknown):
        _ = [piece async for piece in done.outputs[0].chunks]


# ---- refusals --------------------------------------------------------------------------------------------------------


def said(status: int, detail: object) -> httpx.Response:
    return httpx.Response(status, json={"detail": detail})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (said(401, {"status": "quota_exceeded", "message": "2 credits left."}), QuotaExhausted, "2 credits"),  # trap 10
        (problem(402, "payment_required", "insufficient_credits"), QuotaExhausted, "credit"),
        (said(402, {"code": "paid_plan_required", "message": "Upgrade."}), QuotaExhausted, "plan is too small"),
        (said(401, {"status": "detected_unusual_activity", "message": "VPN?"}), QuotaExhausted, "VPN"),
        (said(401, {"status": "invalid_api_key", "message": "No."}), Unauthorized, "refused the key"),
        (said(404, {"status": "voice_not_found", "message": "No voice x."}), InvalidRequest, "choose another"),
        (said(400, {"code": "unsupported_model", "message": "Gone."}), ModelGone, "Gone"),
        (problem(403, "authorization_error", "model_access_denied"), ModelGone, "does not serve"),
        (said(400, {"status": "content_against_policy", "message": "No."}), Moderated, "content"),
        (said(429, {"status": "too_many_concurrent_requests", "message": "Wait."}), RateLimited, "rate"),
        (said(429, {"status": "system_busy", "message": "Wait."}), RateLimited, "rate"),
        (said(422, [{"loc": ["body", "text"], "msg": "required"}]), InvalidRequest, "body.text: required"),
        (said(400, "Bad text."), InvalidRequest, "Bad text"),
        (said(400, {"code": "invalid_parameters", "message": "No", "param": "seed"}), InvalidRequest, r"No \(seed\)"),
        (httpx.Response(400, text="<html>"), InvalidRequest, "did not accept"),
        (said(503, {"type": "service_unavailable", "code": "maintenance"}), OutcomeUnknown, "503"),
    ],
)
async def test_refusals_of_every_shape_say_what_they_mean(family, vendor, stream, answer, error, told):
    vendor.post(url__startswith=WIRE.submit[1]).mock(return_value=answer)
    with pytest.raises(error, match=told) as caught:
        await family.submit(asked(stream=stream), {})
    assert type(caught.value) is error


# ---- the history -----------------------------------------------------------------------------------------------------


async def found(family, vendor, request: SpeechRequest, *pages: httpx.Response) -> list[str] | None:
    vendor.get(f"{API}/v1/history").side_effect = pages
    tickets = await family.find(request, SINCE)
    return None if tickets is None else [ticket.job_id for ticket in tickets]


async def test_equal_works_are_found_oldest_first_over_several_pages(family, vendor):
    newer, older = item(history_item_id="h2"), item(history_item_id="h1", settings=None)
    assert await found(family, vendor, REQUEST, history(newer, more=True), history(older)) == ["h1", "h2"]
    assert vendor.calls.last.request.url.params["start_after_history_item_id"] == "h2"


@pytest.mark.parametrize(
    "other",
    [
        {"text": "Hello!"},
        {"voice_id": "other"},
        {"model_id": "eleven_v3"},
        {"output_format": "pcm_16000"},
        {"settings": {"stability": 0.9}},
        {"date_unix": 1_700_000_000},
    ],
)
async def test_work_that_differs_is_not_taken_for_the_lost_one(family, vendor, other):
    request = REQUEST.model_copy(update={"options": {"stability": 0.5}})
    assert await found(family, vendor, request, history(item(**other))) == []


async def test_empty_history_may_be_one_that_is_not_kept(family, vendor):
    assert await found(family, vendor, REQUEST, history()) is None


async def test_history_is_not_read_further_back_than_needed(family, vendor):
    old = item(history_item_id="h0", date_unix=1_700_000_000)
    assert await found(family, vendor, REQUEST, history(item(), old, more=True)) == ["h1"]
    assert len(vendor.calls) == 1


async def test_found_ticket_warns_as_the_submit_would_have(family, vendor):
    vendor.get(f"{API}/v1/history").mock(return_value=history(item()))
    tickets = await family.find(REQUEST.model_copy(update={"instructions": "Whisper."}), SINCE)
    assert tickets[0].warnings == ("eleven_flash_v2_5 takes no instructions; the ones given were ignored.",)


async def test_speech_from_the_history_is_fetched_with_the_key(family, vendor):
    vendor.get(f"{API}/v1/history/h1").respond(json=item())
    audio = vendor.get(f"{API}/v1/history/h1/audio").respond(content=MP3)
    done = await family.poll(TICKET)
    url = done.outputs[0].url

    def headers(hop: str) -> dict[str, str]:
        return family.download_headers(done.outputs[0], hop)

    pieces = family.http.download(url, vendor_url=family.base_url, headers_for=headers)
    assert b"".join([piece async for piece in pieces]) == MP3
    assert audio.calls.last.request.headers["xi-api-key"] == KEY


@pytest.mark.parametrize(("state", "outcome"), [("processing", Pending()), ("created", None)])
async def test_item_under_way_is_pending(family, vendor, state, outcome):
    vendor.get(f"{API}/v1/history/h1").respond(json=item(state=state))
    polled = await family.poll(TICKET)
    assert isinstance(polled, Done) if outcome is None else polled == outcome


@pytest.mark.parametrize("answer", [httpx.Response(200, json=item(state="deleted")), said(404, "No such item.")])
async def test_deleted_item_is_lost(family, vendor, answer):
    vendor.get(f"{API}/v1/history/h1").mock(return_value=answer)
    with pytest.raises(JobLost):
        await family.poll(TICKET)


async def test_cancel_sends_nothing(family, vendor):
    await family.cancel(TICKET)
    assert not vendor.calls


# ---- models and voices -----------------------------------------------------------------------------------------------


async def test_vendor_corrects_limits_and_says_which_models_and_voices_there_are(family, vendor):
    models = [{"model_id": row.id, "maximum_text_length_per_request": 9000} for row in family.models]
    models = [one for one in models if one["model_id"] != "eleven_v3"]
    models[1]["can_do_text_to_speech"] = False
    vendor.get(f"{API}/v1/models").respond(json=models)
    page = {"voices": [{"name": "Roger - Laid-Back", "voice_id": "v1"}, {"name": "Nova", "voice_id": "v2"}]}
    more = {"voices": [{"name": "Roger - Loud", "voice_id": "v3"}, {"voice_id": "v4"}], "has_more": False}
    voices = vendor.get(f"{API}/v2/voices")
    voices.side_effect = [
        httpx.Response(200, json=page | {"has_more": True, "next_page_token": "t2"}),
        httpx.Response(200, json=more),
    ]
    told = await family.refresh()
    assert told.gone == ("eleven_v4", "eleven_v3")
    assert told.limits["eleven_flash_v2_5"] == {"max_prompt_chars": 9000}
    assert told.voices == {"Roger": "v1", "Nova": "v2", "Roger - Loud": "v3", "v4": "v4"}
    assert voices.calls.last.request.url.params["next_page_token"] == "t2"


@pytest.mark.parametrize("answer", [{"json": []}, {"json": {"models": []}}, {"text": "<html>"}])
async def test_list_of_models_that_says_nothing_corrects_nothing(family, vendor, answer):
    vendor.get(f"{API}/v1/models").respond(200, **answer)
    with pytest.raises(MalformedAnswer):
        await family.refresh()


@pytest.mark.parametrize(
    ("modality", "wanted", "chosen"),
    [
        ("speech", "eleven_multilingual_v1", "eleven_multilingual_v2"),
        ("speech", "eleven_monolingual_v1", "eleven_flash_v2"),
        ("transcription", "scribe_v1", "scribe_v2"),
        ("speech", None, "eleven_flash_v2_5"),
        ("transcription", None, "scribe_v2"),
    ],
)
def test_retired_models_are_served_by_their_successors(modality, wanted, chosen):
    catalogue = Catalogue(ElevenLabs({"ELEVENLABS_API_KEY": KEY}, Http()).models)
    choice = catalogue.choose(modality, wanted)
    assert choice.model.id == chosen
    assert bool(choice.warnings) == (wanted is not None)
