"""Anthropic on the wire, for the contract every family answers: it only chats."""

import httpx
from contract import Wire

from providers.anthropic import Anthropic
from providers.types import ChatRequest, Message

API = "https://api.anthropic.com"
KEY = "sk-ant-secret1"
MESSAGES = f"{API}/v1/messages"


def said(*blocks: dict, reason: str = "end_turn", **more: object) -> httpx.Response:
    """An answer."""
    usage = {"input_tokens": 12, "output_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "stop_sequence": None}
    body |= {"content": list(blocks), "stop_reason": reason, "usage": usage}
    return httpx.Response(200, headers={"request-id": "req_1"}, json=body | more)


def text(words: str) -> dict:
    """A block of text."""
    return {"type": "text", "text": words}


def problem(status: int, kind: str, words: str = "It went wrong.", headers: dict | None = None) -> httpx.Response:
    """A refusal in Anthropic's envelope."""
    error = {"type": kind, "message": words}
    return httpx.Response(status, headers=headers or {}, json={"type": "error", "error": error, "request_id": "req_1"})


WIRE = Wire(
    family=Anthropic,
    environment={"ANTHROPIC_API_KEY": KEY},
    key=KEY,
    stack="httpcore",
    request=ChatRequest(model="claude-haiku-5-5", messages=(Message(role="user", content="Hello."),)),
    submit=("POST", MESSAGES),
    accepted=said(text("Hello to you.")),
    moderated=problem(400, "invalid_request_error", "Output blocked by content filtering policy"),
    rate_limited=problem(429, "rate_limit_error", headers={"retry-after-ms": "1"}),
    retry_after=0.001,
    gone=problem(404, "not_found_error", "model: claude-haiku-5-5"),
    no_credit=problem(402, "billing_error"),
    rejected=problem(400, "invalid_request_error", "messages: roles must alternate"),
    broken=problem(500, "api_error"),
    malformed=httpx.Response(200, json={"type": "message", "content": None}),
)
