"""What Replicate refuses, and the inputs of the models whose schema is documented."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from starlette.requests import Request

from .wire import Refused, bearer

KEYS = {"input", "version", "webhook", "webhook_events_filter", "stream"}
HASH = "[0-9a-f]{64}"
NAME = r"[\w.-]+/[\w.-]+"
OFFICIAL = {
    "black-forest-labs", "google", "openai", "minimax", "kwaivgi", "bytedance", "wan-video", "luma", "runwayml",
    "ideogram-ai", "recraft-ai", "stability-ai", "pixverse", "topazlabs", "bria", "qwen", "prunaai", "lightricks",
}  # fmt: skip
SIZES = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "21:9": (1536, 640),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "3:4": (896, 1152),
    "4:3": (1152, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}


def _integer(minimum: int, maximum: int, step: int = 1) -> dict[str, Any]:
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "multipleOf": step}


def _one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
COMMON = {"prompt": TEXT, "seed": {"type": "integer"}}
INPUTS: dict[str, dict[str, Any]] = {
    "black-forest-labs/flux-1.1-pro": COMMON
    | {
        "image_prompt": TEXT,
        "aspect_ratio": _one_of("custom", "1:1", "16:9", "3:2", "2:3", "4:5", "5:4", "9:16", "3:4", "4:3"),
        "width": _integer(256, 1440, 32),
        "height": _integer(256, 1440, 32),
        "safety_tolerance": _integer(1, 6),
        "prompt_upsampling": FLAG,
        "output_format": _one_of("webp", "jpg", "png"),
        "output_quality": _integer(0, 100),
    },
    "black-forest-labs/flux-1.1-pro-ultra": COMMON
    | {
        "image_prompt": TEXT,
        "image_prompt_strength": {"type": "number", "minimum": 0, "maximum": 1},
        "aspect_ratio": _one_of(*SIZES),
        "safety_tolerance": _integer(1, 6),
        "raw": FLAG,
        "output_format": _one_of("jpg", "png"),
    },
    "black-forest-labs/flux-schnell": COMMON
    | {
        "aspect_ratio": _one_of(*SIZES),
        "num_outputs": _integer(1, 4),
        "num_inference_steps": _integer(1, 4),
        "output_format": _one_of("webp", "jpg", "png"),
        "output_quality": _integer(0, 100),
        "disable_safety_checker": FLAG,
        "go_fast": FLAG,
        "megapixels": _one_of("1", "0.25"),
    },
    "black-forest-labs/flux-kontext-pro": COMMON
    | {
        "input_image": TEXT,
        "aspect_ratio": _one_of("match_input_image", *SIZES),
        "prompt_upsampling": FLAG,
        "output_format": _one_of("jpg", "png"),
        "safety_tolerance": _integer(0, 6),
    },
}
"""The documented inputs. Like the vendor, the fake ignores other keys, and knows nothing of other models' inputs."""


def problem(status: int, title: str, detail: str) -> Refused:
    """Replicate's error body."""
    body = {"title": title, "detail": detail, "status": status}
    return Refused(status, body, {"content-type": "application/problem+json"})


def not_found() -> Refused:
    """The refusal of an unknown id."""
    return problem(404, "Not found", "The requested resource could not be found.")


def invalid(detail: str) -> Refused:
    """The refusal of an invalid request."""
    return problem(422, "Input validation failed", f"- {detail}\n")


def authorise(request: Request) -> None:
    """Refuse a request without a key, or with another vendor's."""
    if not bearer(request).startswith("r8_"):
        raise problem(401, "Unauthenticated", "You did not pass a valid authentication token")


def named(request: Request, body: dict[str, Any]) -> tuple[str, str]:
    """The model and the version a request names."""
    if "owner" in request.path_params:
        return f"{request.path_params['owner']}/{request.path_params['name']}", "hidden"
    version = str(body.get("version", ""))
    if match := re.fullmatch(f"(?:({NAME}):)?({HASH})", version):
        return match[1] or "someone/something", match[2]
    return version, "hidden"


def check(body: dict[str, Any] | None, model: str, *, with_version: bool) -> None:
    """What the API refuses before it makes a prediction."""
    if body is None:
        raise problem(400, "Bad request", "The request body is not a JSON object.")
    known = KEYS if with_version else KEYS - {"version"}
    if unknown := sorted(set(body) - known):
        raise invalid(f"Additional property {unknown[0]} is not allowed")
    if with_version and "version" not in body:
        raise invalid("version is required")
    if not isinstance(body.get("input"), dict):
        raise invalid("input is required")
    if str(body.get("webhook", "https:")).partition(":")[0] != "https":
        raise invalid("webhook must be a valid HTTPS URL")
    by_hash = re.search(f"{HASH}$", str(body.get("version", "")))
    if not by_hash and (not re.fullmatch(NAME, model) or model.split("/")[0] not in OFFICIAL):
        raise problem(422, "Invalid version or not permitted", "The specified version does not exist.")
    properties = INPUTS.get(model)
    if properties and "prompt" not in body["input"]:
        raise invalid("input: prompt is required")
    for name, value in body["input"].items():
        if fault := _fault((properties or {}).get(name, {}), value):
            raise invalid(f"input.{name}: {fault}")


def _fault(rule: dict[str, Any], value: Any) -> str | None:
    """What is wrong with an input, if anything."""
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    kind = rule.get("type")
    if kind and (not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return f"Invalid type. Expected: {kind}, given: {type(value).__name__}"
    if "enum" in rule and value not in rule["enum"]:
        return f"{value!r} is not one of {rule['enum']}"
    if "minimum" not in rule:
        return None
    if not rule["minimum"] <= value <= rule["maximum"]:
        return f"Must be between {rule['minimum']} and {rule['maximum']}"
    step = rule.get("multipleOf", 1)
    return f"Must be a multiple of {step}" if kind == "integer" and value % step else None


def wait_s(request: Request) -> float:
    """Seconds to hold the answer."""
    match = re.match(r"wait(?:=(\d+))?$", request.headers.get("prefer", ""))
    if not match:
        return 0.0
    seconds = int(match[1] or 60)
    if not 1 <= seconds <= 60:
        raise invalid("Prefer: wait must be between 1 and 60 seconds")
    return float(seconds)


def deadline_s(request: Request) -> float | None:
    """Seconds after which the prediction ends by itself."""
    text = request.headers.get("cancel-after")
    if text is None:
        return None
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    parts = match.groups() if match else (0, 0, 0)
    seconds = sum(int(part or 0) * unit for part, unit in zip(parts, (3600, 60, 1), strict=True))
    if seconds < 5:
        raise invalid("Cancel-After must be at least 5 seconds")
    return float(seconds)


def bound(text: str | None, default: float) -> float:
    """A bound of the list, as seconds since the epoch."""
    if not text:
        return default
    try:
        return datetime.fromisoformat(text.replace(" ", "+")).timestamp()
    except ValueError:
        raise problem(400, "Bad request", f"{text!r} is not an ISO 8601 date-time") from None
