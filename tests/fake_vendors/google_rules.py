"""What Google refuses, and in which words; and the shapes of its answers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request

from .wire import Refused, json_object

MODELS = [
    "gemini-nano-banana-2.1",
    "gemini-3-pro-image",
    "gemini-3.1-flash-lite-image",
    "gemini-3.1-flash-image",
    "gemini-2.5-flash-image",
    "gemini-omni-1.2-flash",
    "gemini-omni-1.1-flash",
    "gemini-3.8-flash-tts",
    "gemini-3.8-flash-lite-tts",
    "gemini-3.5-transcribe",
    "gemini-4-argon",
    "gemini-4-carbon",
    "gemini-4-hydrogen",
    "gemini-3.8-flash",
    "gemini-3.7-flash",
    "gemini-3.6-flash",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
]
BODY = "contents systemInstruction tools toolConfig generationConfig safetySettings store cachedContent labels"
CONFIG = """
    responseModalities imageConfig speechConfig audioTranscriptionConfig maxOutputTokens responseMimeType
    responseJsonSchema responseSchema mediaResolution seed stopSequences candidateCount thinkingConfig
"""
INTERACTION = """
    model input background store response_format generation_config labels previous_interaction_id system_instruction
    tools stream webhook_config service_tier safety_settings
"""
RATIOS = {"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1"}
TIERS = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
TASKS = {"text_to_video", "image_to_video", "reference_to_video", "edit", "extend", "upscale"}
RESOLUTIONS = {"360p": 360, "720p": 720, "1080p": 1080, "4k": 2160}
LONGEST = {"gemini-omni-1.2-flash": 15, "gemini-omni-1.1-flash": 10}
FREE = {"args", "response", "parametersJsonSchema", "responseJsonSchema"}
"""Members that hold what a user or a model wrote."""
Json = dict[str, Any]


def refused(status: int, message: str, word: str = "INVALID_ARGUMENT", *details: Json) -> Refused:
    """Google's error envelope."""
    error = {"code": status, "message": message, "status": word, "details": list(details)}
    return Refused(status, {"error": error})


def authorise(request: Request) -> None:
    """Refuse a request without a key, or with another vendor's: that one with 400."""
    key = request.headers.get("x-goog-api-key", "")
    if not key:
        raise refused(403, "Method doesn't allow unregistered callers.", "PERMISSION_DENIED")
    if not key.startswith("AIza"):
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        raise refused(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", reason)


async def read_json(request: Request) -> Json:
    """The JSON object of an authorised request."""
    authorise(request)
    body = await json_object(request)
    if body is None:
        raise refused(400, "Invalid JSON payload received.")
    return body


def camel(value: Any) -> Any:
    """A body with its names in camel case: Google reads either."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = {name: re.sub(r"_(\w)", lambda match: match[1].upper(), name) for name in value}
    return {names[name]: item if names[name] in FREE else camel(item) for name, item in value.items()}


def check_fields(body: Json, known: str, where: str = "") -> None:
    """Refuse a name that does not exist."""
    if unknown := sorted(set(body) - set(known.split())):
        raise refused(400, f'Invalid JSON payload received. Unknown name "{unknown[0]}"{where}: Cannot find field.')


def check_model(name: Any, family: str = "") -> str:
    """The model, when it lives and belongs to this method."""
    if name not in MODELS or not str(name).startswith(family):
        text = f"models/{name} is not found for API version v1, or is not supported for this method."
        raise refused(404, text, "NOT_FOUND")
    return str(name)


# ---- generateContent -------------------------------------------------------------------------------------------------


def check_content(body: Json, model: str) -> None:
    """Refuse a body that generateContent does not take."""
    check_fields(body, BODY)
    config = body.get("generationConfig", {})
    check_fields(config, CONFIG, " at 'generation_config'")
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise refused(400, "* GenerateContentRequest.contents: contents is not specified")
    _check_turns(contents, signed=not model.startswith("gemini-2"))
    shape = config.get("imageConfig", {})
    if shape.get("aspectRatio", "1:1") not in RATIOS or shape.get("imageSize", "1K") not in TIERS:
        raise refused(400, "Invalid value at 'generation_config.image_config'.")
    if shape.get("imageSize") == "512" and model != "gemini-3.1-flash-image":
        raise refused(400, "Image size 512 is not supported by this model.")
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        raise refused(400, "response_mime_type must be application/json when a schema is given.")


def _check_turns(contents: list[Json], *, signed: bool) -> None:
    """Every content has parts, every first call a signature, and every call of a turn is answered right behind it."""
    for place, content in enumerate(contents):
        parts = content.get("parts")
        if not parts or content.get("role") not in ("user", "model"):
            raise refused(400, f"* GenerateContentRequest.contents[{place}].parts: must include at least one part.")
        calls = [part for part in parts if "functionCall" in part]
        if calls and signed and not calls[0].get("thoughtSignature"):
            raise refused(400, "Function call is missing a thought_signature in functionCall parts.")
        following = contents[place + 1].get("parts", ()) if place + 1 < len(contents) else ()
        if calls and len([part for part in following if "functionResponse" in part]) != len(calls):
            text = "the number of function response parts is equal to the number of function call parts"
            raise refused(400, f"Please ensure that {text} of the function call turn.")


def conversation(body: Json) -> Json:
    """A body as the Chat Completions request the planner knows."""
    system = text_in(body.get("systemInstruction", {}).get("parts", ()))
    messages: list[Json] = [{"role": "system", "content": system}] if system else []
    for content in body["contents"]:
        parts = content["parts"]
        answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
        for answer in answers:
            messages.append({"role": "tool", "tool_call_id": answer.get("id"), "content": str(answer["response"])})
        calls = [{"function": part["functionCall"]} for part in parts if "functionCall" in part]
        said = text_in(parts)
        if said or calls or not answers:
            role = "assistant" if content["role"] == "model" else "user"
            messages.append({"role": role, "content": said, **({"tool_calls": calls} if calls else {})})
    tools = [
        {"type": "function", "function": {"name": one["name"], "parameters": one.get("parametersJsonSchema", {})}}
        for tool in body.get("tools", ())
        for one in tool.get("functionDeclarations", ())
    ]
    return {"messages": messages, **({"tools": tools} if tools else {})}


def text_in(parts: Iterable[Json]) -> str:
    """The text of parts."""
    return "".join(part.get("text", "") for part in parts)


def answer_of(model: str, parts: list[Json], usage: Json, finish: str = "STOP") -> Json:
    """An answer of generateContent."""
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": finish, "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "fake"}


def usage_of(prompt: int, made: int, modality: str, thought: int = 0) -> Json:
    """The tokens of an answer."""
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": made,
        "totalTokenCount": prompt + made + thought,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
        "candidatesTokensDetails": [{"modality": modality, "tokenCount": made}],
        **({"thoughtsTokenCount": thought} if thought else {}),
    }


def picture_size(config: Json) -> tuple[int, int]:
    """The pixels of a shape and a tier."""
    shape = config.get("imageConfig", {})
    wide, high = map(int, shape.get("aspectRatio", "1:1").split(":"))
    side = TIERS[shape.get("imageSize", "1K")] / math.sqrt(wide * high)
    return round(side * wide / 16) * 16, round(side * high / 16) * 16


# ---- interactions ----------------------------------------------------------------------------------------------------


def check_interaction(body: Json) -> Json:
    """The form of the clip, when the body is one the Interactions API takes."""
    check_fields(body, INTERACTION)
    model = check_model(body.get("model"), "gemini-omni")
    made = body.get("response_format")
    if not isinstance(made, dict) or made.get("type") != "video":
        raise refused(400, "response_format must be of type video for this model.")
    check_fields(made, "type aspect_ratio delivery duration resolution", " at 'response_format'")
    if body.get("background") and body.get("store") is False:
        raise refused(400, "background requires store to be true.")
    match = re.fullmatch(r"(\d+)s", made.get("duration", "5s"))
    if match is None or not 3 <= int(match[1]) <= LONGEST[model]:
        raise refused(400, f"duration must be between 3s and {LONGEST[model]}s.")
    if made.get("aspect_ratio", "16:9") not in ("16:9", "9:16") or made.get("resolution", "720p") not in RESOLUTIONS:
        raise refused(400, "Invalid value at 'response_format'.")
    task = body.get("generation_config", {}).get("video_config", {}).get("task")
    if task not in TASKS | {None}:
        raise refused(400, "Invalid value at 'generation_config.video_config.task'.")
    if task == "edit" and {"duration", "aspect_ratio"} & set(made):
        raise refused(400, "duration and aspect_ratio are not supported in video editing.")
    if not given_of(body):
        raise refused(400, "input is not specified.")
    return made


def given_of(body: Json) -> list[Json]:
    """The content blocks of an interaction."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "text", "text": given}]
    steps = given if isinstance(given, list) else []
    return [block for step in steps for block in (step.get("content", []) if "content" in step else [step])]
