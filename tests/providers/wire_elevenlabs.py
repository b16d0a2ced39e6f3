"""ElevenLabs on the wire, for the contract every family answers: quick, with a history of what it has spoken."""

import time

import httpx
from contract import Kept, Listing, Wire

from providers.elevenlabs import ElevenLabs
from providers.types import SpeechRequest, Ticket

API = "https://api.elevenlabs.io"
KEY = "sk_secret1"
SARAH = "EXAVITQu4vr4xnSDxMaL"
REQUEST = SpeechRequest(model="eleven_flash_v2_5", text="Hello there.")


def problem(status: int, kind: str, code: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """A refusal in ElevenLabs' envelope."""
    detail = {"type": kind, "code": code, "message": "It went wrong.", "status": code, "request_id": "r1"}
    return httpx.Response(status, headers=headers or {}, json={"detail": detail})


def item(**fields: object) -> dict[str, object]:
    """An item of the history."""
    later = int(time.time()) + 3600  # than any moment at which this description may be used in a run
    spoken = {"history_item_id": "h1", "request_id": "r1", "voice_id": SARAH, "voice_name": "Sarah", "state": "created"}
    spoken |= {"model_id": REQUEST.model, "text": REQUEST.text, "date_unix": later, "content_type": "audio/mpeg"}
    spoken |= {"character_count_change_from": 0, "character_count_change_to": 12, "source": "TTS", "settings": {}}
    return spoken | fields


def history(*items: dict[str, object], more: bool = False) -> httpx.Response:
    """A page of the history."""
    last = items[-1]["history_item_id"] if items else None
    return httpx.Response(200, json={"history": list(items), "has_more": more, "last_history_item_id": last})


WIRE = Wire(
    family=ElevenLabs,
    environment={"ELEVENLABS_API_KEY": KEY},
    key=KEY,
    stack="httpcore",
    request=REQUEST,
    submit=("POST", f"{API}/v1/text-to-speech/{SARAH}"),
    accepted=httpx.Response(200, headers={"content-type": "audio/mpeg", "character-cost": "6"}, content=b"ID3\x04"),
    moderated=problem(400, "invalid_request", "content_against_policy"),  # what it looks like was not found
    rate_limited=problem(429, "rate_limit_error", "concurrent_limit_exceeded", {"retry-after": "0"}),
    retry_after=0.0,
    gone=problem(404, "not_found", "model_not_found"),
    no_credit=problem(401, "payment_required", "quota_exceeded"),
    rejected=httpx.Response(422, json={"detail": [{"loc": ["body", "seed"], "msg": "too large", "type": "value"}]}),
    broken=problem(500, "internal_error", "internal_error"),
    malformed=httpx.Response(200, json={"audio": None}),
    kept=Kept(
        ticket=Ticket(job_id="h1"),
        listing=Listing(
            ask=("GET", f"{API}/v1/history"),
            listed=history(item()),
            nothing=history(item(text="Something else.", history_item_id="h0")),
        ),
    ),
)
