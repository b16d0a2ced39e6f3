"""What OpenAI refuses, and in which words."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from .wire import Refused, bearer, json_object, token

MODELS = {
    "gpt-4o": "2027-01-14",
    "gpt-4o-mini": "2027-01-14",
    "gpt-4.1": "2027-01-14",
    "gpt-6-luna": None,
    "gpt-6.1-terra": None,
    "gpt-6.1-sol": None,
    "gpt-image-2.6-sunburst": None,
    "gpt-image-2.6-flare": None,
    "gpt-image-2.5-sunburst": None,
    "gpt-image-2.5-flare": None,
    "gpt-image-2": None,
    "gpt-image-1.5": "2026-12-01",
    "gpt-image-1-mini": "2026-12-01",
    "chatgpt-image-latest": "2026-12-01",
    "tts-1": "2027-01-06",
    "tts-1-hd": "2027-01-06",
    "gpt-4o-mini-tts": "2027-01-06",
    "gpt-transcribe": None,
    "whisper-1": "2027-02-26",
    "gpt-4o-transcribe": "2027-02-26",
    "gpt-4o-mini-transcribe": "2027-02-26",
    "gpt-4o-transcribe-diarize": "2027-02-26",
}
GONE = re.compile(r"dall-e|gpt-image-1$|sora|gpt-3\.5|gpt-4$|gpt-4-turbo|gpt-4\.1-nano|o1|o3-mini|o4-mini|chatgpt-4o")
REASONING = re.compile(r"gpt-5\.[4-9]|gpt-6")
CHAT_FIELDS = """
    messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
    metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key
    prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier
    stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options
"""
IMAGE_FIELDS = """
    prompt model n size quality complexity background output_format output_compression moderation safety_identifier user
    stream partial_images frame_count frame_duration_ms svg
"""
SPEECH_FIELDS = "input model voice instructions response_format speed stream_format"
VOICES = "alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar"
OLD_SIZES = {"1024x1024", "1536x1024", "1024x1536"}
MAX_SPEECH_CHARACTERS = 4096
MAX_PROMPT_CHARACTERS = 32_000


def refused(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Refused:
    """OpenAI's error envelope."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Refused(status, {"error": error}, vendor_headers())


def vendor_headers() -> dict[str, str]:
    """The headers of every answer."""
    return {"x-request-id": f"req_{token(32, '0123456789abcdef')}", "openai-processing-ms": "12"}


def authorise(request: Request) -> None:
    """Refuse a request without a key, or with another vendor's."""
    key = bearer(request)
    if not key:
        raise refused(401, "You didn't provide an API key. Provide it in an Authorization header using Bearer auth.")
    if not key.startswith("sk-"):
        raise refused(401, f"Incorrect API key provided: {key[:4]}***.", code="invalid_api_key")


async def read_json(request: Request, known: str) -> dict[str, Any]:
    """The JSON object of an authorised request that names only known parameters."""
    authorise(request)
    body = await json_object(request)
    if body is None:
        raise refused(400, "We could not parse the JSON body of your request.")
    _check_fields(body, known)
    return body


def _check_fields(body: dict[str, Any], known: str) -> None:
    if unknown := sorted(set(body) - set(known.split())):
        raise refused(400, f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")


def _require(body: dict[str, Any], *names: str) -> None:
    for name in names:
        if body.get(name) in (None, ""):
            raise refused(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def _require_text(body: dict[str, Any], name: str, longest: int) -> None:
    if not isinstance(body[name], str):
        raise refused(400, f"Invalid type for '{name}': expected a string.", param=name, code="invalid_type")
    if len(body[name]) > longest:
        text = f"Invalid '{name}': string too long. Expected a string with maximum length {longest}."
        raise refused(400, text, param=name, code="string_above_max_length")


def no_model(name: Any) -> Refused:
    """The refusal of a model that does not exist, or no longer."""
    return refused(404, f"The model `{name}` does not exist or you do not have access to it.", code="model_not_found")


def check_chat(body: dict[str, Any]) -> None:
    """Refuse dead models, tools on a reasoning model that reasons, and broken conversations."""
    _require(body, "model", "messages")
    model = str(body["model"])
    if GONE.match(model):
        raise no_model(model)
    effort = body.get("reasoning_effort")
    if body.get("tools") and REASONING.match(model) and effort != "none":
        text = "Function tools with reasoning_effort are not supported for this model in /v1/chat/completions."
        raise refused(400, text, param="reasoning_effort")
    if effort == "none" and re.match(r"gpt-6-astra|gpt-6\.1-sol", model):
        raise refused(400, "Unsupported value: 'none'.", param="reasoning_effort", code="unsupported_value")
    check_format(body.get("response_format"))
    _check_messages(body["messages"])


def check_format(form: Any) -> None:
    """Refuse a schema without a proper name, and a strict one that leaves something open."""
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return
    named = form.get("json_schema") or {}
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(named.get("name", ""))):
        raise refused(400, "Invalid 'response_format.json_schema.name'.", param="response_format.json_schema.name")
    if named.get("strict") and (fault := _not_strict(named.get("schema"))):
        text = f"Invalid schema for response_format '{named['name']}': {fault}"
        raise refused(400, text, param="response_format", code="invalid_json_schema")


def _not_strict(schema: Any) -> str | None:
    if isinstance(schema, list):
        return next((fault for each in schema if (fault := _not_strict(each))), None)
    if not isinstance(schema, dict):
        return None
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            return "'additionalProperties' is required to be supplied and to be false."
        if set(schema.get("required") or ()) != set(properties or ()):
            return "'required' is required to be supplied and to be an array including every key in properties."
    if "$ref" in schema and len(schema) > 1:
        return f"$ref cannot have keywords {sorted(set(schema) - {'$ref'})}."
    if unsupported := {"default", "oneOf", "allOf", "not"} & set(schema):
        return f"'{sorted(unsupported)[0]}' is not permitted."
    inner = [*(properties or {}).values(), *(schema.get("$defs") or {}).values(), *(schema.get("anyOf") or ())]
    return _not_strict([*inner, schema.get("items")])


def _check_messages(messages: Any) -> None:
    """Every call is answered right behind its turn, and only the user shows pictures."""
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise refused(400, "Invalid type for 'messages': expected an array of objects.", param="messages")
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        role, where = message.get("role"), f"messages.[{place}].role"
        if role not in ("developer", "system", "user", "assistant", "tool", "function"):
            raise refused(400, f"Invalid value: '{role}'.", param=where, code="invalid_value")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise refused(400, f"Invalid parameter: {text}", param=where)
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            raise _unanswered(open_calls)
        if role != "user" and _shows(message):
            text = "Image URLs are only allowed for messages with role 'user'"
            raise refused(400, f"Invalid 'messages[{place}]'. {text}, but this message has role '{role}'.")
        open_calls |= {call["id"] for call in message.get("tool_calls") or ()}
    if open_calls:
        raise _unanswered(open_calls)


def _unanswered(calls: set[str]) -> Refused:
    text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
    missing = f"The following tool_call_ids did not have response messages: {', '.join(sorted(calls))}"
    return refused(400, f"{text} {missing}", param="messages")


def _shows(message: dict[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(part.get("type") == "image_url" for part in content)


def check_image(body: dict[str, Any], extra: str = "") -> None:
    """Refuse what the GPT image models do not take (`response_format` and `style` among it)."""
    _check_fields(body, f"{IMAGE_FIELDS} {extra}")
    _require(body, "prompt", "model")
    _require_text(body, "prompt", MAX_PROMPT_CHARACTERS)
    model = str(body["model"])
    if "image" not in model or re.sub(r"-20\d\d-\d\d-\d\d$", "", model) not in MODELS:
        raise no_model(model)
    newer = re.match(r"gpt-image-2\.[56]", model)
    qualities = {"low", "medium", "high", "auto"} | ({"xhigh", "max"} if newer else set())
    allowed = {
        "quality": qualities,
        "background": {"transparent", "opaque", "auto"},
        "output_format": {"png", "jpeg", "webp"},
        "moderation": {"low", "auto"},
    }
    for name, values in allowed.items():
        if body.get(name) is not None and body[name] not in values:
            text = f"Invalid value: '{body[name]}'. Supported values are: {sorted(values)}."
            raise refused(400, text, param=name, code="invalid_value")
    if body.get("n") is not None and body["n"] not in range(1, 11):
        raise refused(400, f"Invalid 'n': {body['n']}.", param="n", code="integer_out_of_range")
    if body.get("background") == "transparent" and body.get("output_format") == "jpeg":
        raise refused(400, "Transparent background is not supported for JPEG.", param="background")
    _check_size(body.get("size") or "auto", model)


def _check_size(size: str, model: str) -> None:
    match = re.fullmatch(r"(\d+)x(\d+)", size)
    if size == "auto" or size in OLD_SIZES:
        return
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    free = model.startswith("gpt-image-2") and width and height and not (width % 16 or height % 16)
    if not free or max(width, height) > 3 * min(width, height) or width * height > 3840 * 2160:
        raise refused(400, f"Invalid size '{size}'.", param="size", code="invalid_value")


def check_speech(body: dict[str, Any]) -> None:
    """Refuse what the speech models do not take."""
    _require(body, "input", "model", "voice")
    _require_text(body, "input", MAX_SPEECH_CHARACTERS)
    model, voice = str(body["model"]), body["voice"]
    if "tts" not in model or re.sub(r"-20\d\d-\d\d-\d\d$", "", model) not in MODELS:
        raise no_model(model)
    if not isinstance(voice, dict) and voice not in VOICES.split():
        raise refused(400, f"Invalid value: '{voice}'.", param="voice", code="invalid_value")
    if (body.get("response_format") or "mp3") not in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
        raise refused(400, "Invalid value.", param="response_format", code="invalid_value")
    if not 0.25 <= (body.get("speed") or 1.0) <= 4.0:
        raise refused(400, "Invalid 'speed'.", param="speed", code="decimal_out_of_range")
    if body.get("stream_format") == "sse" and model.startswith("tts-1"):
        raise refused(400, "stream_format 'sse' is not supported for this model.", param="stream_format")


async def form_digest(items: list[tuple[str, Any]]) -> str:
    """A digest of a form that does not depend on its boundary."""
    digest = hashlib.sha256()
    for name, value in sorted(items, key=lambda item: item[0]):
        content = await value.read() if isinstance(value, UploadFile) else str(value).encode()
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()
