"""The chat model's mind: a script when there is one, else one rule: make everything in one turn, then answer.

A prompt that contains `[reference]` gets the benchmarks' plan instead: enhance two prompts, make three works, answer.
One that consists of calls, each in a line such as `generate_image {"prompt": "a fox"}`, gets just these: those of one
paragraph in one turn. In them `<image>`, `<video>`, `<speech>` stand for the newest asset of that type.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

from .control import Reply
from .openai_looks import answer
from .planner_values import LIKED, arguments_for, example

ANSWER = "Here is your post."
PLAN = ("generate_image", "generate_video", "generate_speech")
LOOKS = ("ImageAnalysis", "VideoAnalysis", "AudioAnalysis", "DocumentType", "Extraction")
REFERENCE = "[reference]"
CALL = re.compile(r"^([a-z]+_[a-z]+) (\{.*\})$", re.MULTILINE)
NEWEST = re.compile(r"<(image|video|speech|audio|document)>")

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
    """The calls of the prompt's next paragraph; none when they are made."""
    since = messages[(_prompt_place(messages) or 0) :]
    turns = [CALL.findall(paragraph) for paragraph in prompt.split("\n\n")]
    done = sum(1 for message in since if message.get("tool_calls"))
    left = [turn for turn in turns if turn][done:]
    return [{"name": name, "arguments": _with_ids(arguments, messages)} for name, arguments in left[0]] if left else []


def _with_ids(arguments: str, messages: list[Json]) -> str:
    """The arguments with the newest asset in place of `<image>` and its like, as far as there is one."""
    told = [text_of(message) for message in messages if message.get("role") == "tool"]

    def newest(match: re.Match[str]) -> str:
        kind = match[1]
        facts = re.compile(r'"id": ?"(asset_\w+)", ?"type": ?"(\w+)"')
        found = [asset for text in told for asset, its_kind in facts.findall(text) if its_kind == kind]
        return found[-1] if found else match[0]

    return NEWEST.sub(newest, arguments)


def told_in_words(messages: list[Json]) -> Json:
    """The format of an answer whose schema stands in an instruction, for models that are not told it otherwise."""
    for message in messages:
        _, found, schema = text_of(message).partition("JSON Schema:\n")
        if message.get("role") == "system" and found:
            with contextlib.suppress(ValueError):
                return {"type": "json_schema", "json_schema": {"schema": json.loads(schema)}}
    return {}


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
    form = request.get("response_format") or told_in_words(request["messages"])
    if form.get("type") == "json_schema":
        schema = form["json_schema"].get("schema", {})
        if schema.get("title") in LOOKS:
            return answer(request, schema, prompt)
        return json.dumps(example(schema, schema, "", text))
    return json.dumps({"text": text}) if form.get("type") == "json_object" else text
