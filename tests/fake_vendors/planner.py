"""The chat model's mind: a script when there is one, else one rule: make everything in one turn, then answer.

A prompt that contains `[reference]` gets the benchmarks' plan instead: enhance two prompts, make three works, answer.
One that consists of calls, each in a line such as `generate_image {"prompt": "a fox"}`, gets just these in one turn.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .control import Reply

ANSWER = "Here is your post."
PLAN = ("generate_image", "generate_video", "generate_speech")
LIKED = {"provider": "flux-1.1-pro", "duration": 5}
PROMPT_CHARACTERS = 200
REFERENCE = "[reference]"
CALL = re.compile(r"(generate_\w+) (\{.*\})")

Json = dict[str, Any]


def reply_to(request: Json, script: list[Reply]) -> Reply:
    """The scripted reply that fits this request, which is used up, or the rule's."""
    messages = request["messages"]
    talks_tools = bool(request.get("tools")) or any(message.get("role") == "tool" for message in messages)
    prompt = last_prompt(messages)
    for reply in script:
        if reply.times != 0 and reply.tools in (None, talks_tools) and reply.match in prompt:
            if reply.times is not None:
                reply.times -= 1
            return reply
    if not talks_tools:
        return Reply(content=_written(request, prompt))
    if CALL.match(prompt):
        calls = written_calls(messages, prompt)
    else:
        calls = reference_calls(messages, prompt) if REFERENCE in prompt else _calls(request, prompt)
    return Reply(tool_calls=calls) if calls else Reply(content=ANSWER)


def reference_calls(messages: list[Json], prompt: str) -> list[Json]:
    """The calls of the reference plan's next turn, as the conversation itself tells; none when it is done."""
    since = messages[(_prompt_place(messages) or 0) :]
    called = {call["function"]["name"] for message in since for call in message.get("tool_calls") or ()}
    if not called:
        kinds = ("image", "video")
        return [{"name": "enhance_prompt", "arguments": {"prompt": prompt, "modality": kind}} for kind in kinds]
    if not called.isdisjoint(PLAN):
        return []
    image, video = (_enhanced(message, prompt) for message in since if message["role"] == "tool")
    return [
        {"name": "generate_image", "arguments": {"prompt": image, "provider": LIKED["provider"]}},
        {"name": "generate_video", "arguments": {"prompt": video, "duration": LIKED["duration"]}},
        {"name": "generate_speech", "arguments": {"text": prompt}},
    ]


def written_calls(messages: list[Json], prompt: str) -> list[Json]:
    """The calls the prompt consists of; none when they are made."""
    since = messages[(_prompt_place(messages) or 0) :]
    if any(message.get("tool_calls") for message in since):
        return []
    return [{"name": name, "arguments": arguments} for name, arguments in CALL.findall(prompt)]


def _enhanced(answer: Json, prompt: str) -> str:
    """The prompt in an answer of `enhance_prompt`, or the one it was given where it failed."""
    try:
        return str(json.loads(text_of(answer))["prompt"])
    except (ValueError, KeyError, TypeError):
        return prompt


def last_prompt(messages: list[Json]) -> str:
    """The text of the user's last message that is not the pictures a harness adds behind tool answers."""
    place = _prompt_place(messages)
    return "" if place is None else text_of(messages[place])


def text_of(message: Json) -> str:
    """The text of a message, whose content may be parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content if isinstance(part, dict))


def _prompt_place(messages: list[Json]) -> int | None:
    for place in range(len(messages) - 1, -1, -1):
        before = next((m for m in reversed(messages[:place]) if m.get("role") != "user"), {})
        if messages[place].get("role") == "user" and before.get("role") != "tool":
            return place
    return None


def _calls(request: Json, prompt: str) -> list[Json]:
    """The plan's calls that are still to be made for the last prompt; all of them at once where that is allowed."""
    choice = request.get("tool_choice", "auto")
    if choice == "none":
        return []
    tools = {tool["function"]["name"]: tool["function"] for tool in request.get("tools") or () if "function" in tool}
    since = request["messages"][(_prompt_place(request["messages"]) or 0) :]
    called = [call["function"]["name"] for message in since for call in message.get("tool_calls") or ()]
    if isinstance(choice, dict) and "function" in choice:
        wanted = [choice["function"]["name"]]
    else:
        wanted = [name for name in PLAN if name in tools and name not in called]
    if request.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    elif called:
        wanted = []
    return [{"name": name, "arguments": arguments_for(tools[name], prompt)} for name in wanted]


def _written(request: Json, prompt: str) -> str:
    """The text a request without tools asks for."""
    text = f"{prompt[:1000]}, in soft morning light, rich in detail, finely composed"
    form = request.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = form["json_schema"].get("schema", {})
        return json.dumps(_example(schema, schema, "", text))
    return json.dumps({"text": text}) if form.get("type") == "json_object" else text


# ---- arguments that are valid for a schema ---------------------------------------------------------------------------


def arguments_for(function: Json, prompt: str) -> Json:
    """Valid arguments: everything required, and what is `LIKED` wherever the schema takes it."""
    schema = function.get("parameters") or {}
    made = _example(schema, schema, "", prompt[:PROMPT_CHARACTERS])
    return made if isinstance(made, dict) else {}


def _example(schema: Json, root: Json, name: str, prompt: str) -> Any:
    schema = _resolved(schema, root)
    branches = [_resolved(branch, root) for branch in schema.get("anyOf") or schema.get("oneOf") or ()]
    liked = LIKED.get(name, prompt if name in ("prompt", "text", "input") else None)
    if branches:
        taking = [branch for branch in branches if liked is not None and _takes(branch, liked)]
        void = [branch for branch in branches if branch.get("type") == "null"]
        return _example((taking or void or branches)[0], root, name, prompt)
    if liked is not None and _takes(schema, liked):
        return liked
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("default") is not None:
        return schema["default"]
    return _of_type(schema, root, liked, prompt)


def _of_type(schema: Json, root: Json, liked: Any, prompt: str) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if "null" in kind else kind[0]
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {
            key: _example(each, root, key, prompt)
            for key, each in properties.items()
            if key in schema.get("required", ()) or (key in LIKED and _could_take(_resolved(each, root), root, key))
        }
    if kind == "array":
        return [_example(schema.get("items", {}), root, "", prompt) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        wanted = liked if isinstance(liked, int | float) else schema.get("minimum", 1)
        return min(max(wanted, schema.get("minimum", wanted)), schema.get("maximum", wanted))
    return {"boolean": False, "null": None}.get(str(kind), prompt or "something")


def _could_take(schema: Json, root: Json, name: str) -> bool:
    branches = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return any(_takes(_resolved(branch, root), LIKED[name]) for branch in branches)


def _takes(schema: Json, value: Any) -> bool:
    """Whether a schema without branches takes the value."""
    kinds = schema.get("type", [])
    names = {"string": str, "integer": int, "number": (int, float)}
    if kinds and not any(
        isinstance(value, names.get(kind, ())) for kind in ([kinds] if isinstance(kinds, str) else kinds)
    ):
        return False
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    return schema.get("minimum", value) <= value <= schema.get("maximum", value)


def _resolved(schema: Json, root: Json) -> Json:
    """The schema behind `$ref` and a single `allOf`."""
    while "$ref" in schema or "allOf" in schema:
        if "$ref" in schema:
            found: Any = root
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
        else:
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            schema = {key: value for part in schema["allOf"] for key, value in part.items()} | rest
    return schema
