"""The spans of a generation, by OpenTelemetry's conventions for generative AI: the run, its turns and tools, its works,
and the calls to the vendors inside them. Without a tracer nothing is made at all.

    invoke_agent impresario
      turn 1
        chat gpt-4o
      execute_tool generate_video
        generate_content gen4.5
          submit gen4.5
          poll gen4.5            the one that brought the end; the others are only counted

What was said and made is in none of them, unless it is asked for (`TELEMETRY_CONTENT`); bytes never are. The names are
those of github.com/open-telemetry/semantic-conventions-genai; docs/observability.md lists them, and our own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from providers.hooks import Call, Failure, Quiet, Response
from providers.types import ChatReply, ChatRequest, MediaRequest, Message, ToolCall

from .telemetry_otel import NAME, Otel

Attributes = dict[str, Any]
OFF: AbstractContextManager[None] = nullcontext()
PROVIDERS = {"google": "gcp.gemini", "xai": "x_ai"}
"""The conventions' names for vendors, where they have another one."""
OUTPUTS = {"chat": "text", "transcription": "text"}
"""`gen_ai.output.type`; the other modalities are called what they are."""
LONGEST_NAME = 64  # of a tool, as the model wrote it
_generation: ContextVar[str | None] = ContextVar("generation", default=None)


class Spans(Quiet):
    """Makes spans; as hooks it makes those of the vendors' calls, too. `content` says that words may be recorded."""

    def __init__(self, otel: Otel | None = None, *, content: bool = False) -> None:
        self._tracer = otel.tracer() if otel is not None else None
        self.wants_content = content and self.on

    @property
    def on(self) -> bool:
        """Whether there is somebody to make spans for."""
        return self._tracer is not None

    # ---- what a run consists of ----

    def generation(self, generation_id: str) -> AbstractContextManager[None]:
        """Around a run, from its row to its end. Taken up by another process it is a span of its own, of the same
        `impresario.generation_id`."""
        return self._generation(generation_id) if self.on else OFF

    @contextmanager
    def _generation(self, generation_id: str) -> Iterator[None]:
        token = _generation.set(generation_id)
        said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": NAME}
        try:
            with self._span(f"invoke_agent {NAME}", said):
                yield
        finally:
            _generation.reset(token)

    def begun(self, vendor: str, model: str, prompt: str, *, again: bool) -> None:
        """The run has its planner. `again`: it was begun before, by a process that is gone."""
        if self.on:
            self.note({**(seller(vendor, model) if vendor else {}), "impresario.again": again})
            self._said("gen_ai.input.messages", [spoken("user", prompt)])

    def ended(self, values: Mapping[str, Any], cost_usd: Decimal | None) -> None:
        """The run has ended like this."""
        if not self.on:
            return
        how = {f"impresario.{name}": values[name] for name in ("status", "stop_reason")}
        self.note({**how, **cost(cost_usd)})
        if values["error"]:
            self.failed(values["error"])
        self._said("gen_ai.output.messages", [spoken("assistant", values["response"] or "")])

    def turn(self, number: int) -> AbstractContextManager[None]:
        """Around a model turn: its place in line, the call, and what is written down of it."""
        return self._span(f"turn {number}", {"impresario.turn": number}) if self.on else OFF

    def tool(self, call: ToolCall, step_id: str) -> AbstractContextManager[None]:
        """Around a tool call."""
        if not self.on:
            return OFF
        name = call.name[:LONGEST_NAME]
        said = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call.id,
            "impresario.step_id": step_id,
        }
        words = {"gen_ai.tool.call.arguments": call.arguments} if self.wants_content else {}
        return self._span(f"execute_tool {name}", {**said, **words})

    def work(self, call_id: str, request: MediaRequest) -> AbstractContextManager[None]:
        """Around a paid media call, from its receipt to its assets."""
        if not self.on:
            return OFF
        vendor, _, model = request.model.rpartition("/")
        said = {
            "gen_ai.operation.name": "generate_content",
            **seller(vendor, model),
            "gen_ai.output.type": OUTPUTS.get(request.modality, request.modality),
            "impresario.call_id": call_id,
        }
        words = {"impresario.prompt": words_of(request)} if self.wants_content else {}
        return self._span(f"generate_content {model}", {**said, **words}, SpanKind.CLIENT)

    def came_to(self, outcome: Any) -> Any:
        """Mark the current span with what an effect came to, and give it back."""
        if self.on and "text" in outcome:
            self._said("gen_ai.tool.call.result", outcome["text"])
        if self.on and "problem" in outcome:
            self.failed(outcome["problem"])
        elif self.on and outcome.get("assets"):  # a transcript's cost stands in its receipt
            made = [asset.get("cost_usd") for asset in outcome["assets"]]
            known = None if None in made else sum(map(Decimal, made), Decimal(0))
            self.note({"impresario.assets": len(made), **cost(known)})
        return outcome

    # ---- the current span ----

    def note(self, attributes: Attributes) -> None:
        """Say more of it."""
        if self.on:
            trace.get_current_span().set_attributes(attributes)

    def failed(self, problem: Mapping[str, Any]) -> None:
        """It failed with this `code`; the `message` may quote what was asked for."""
        if self.on:
            span = trace.get_current_span()
            span.set_attribute("error.type", str(problem["code"]))
            span.set_status(StatusCode.ERROR, str(problem.get("message", "")) if self.wants_content else None)

    def _said(self, name: str, words: Any) -> None:
        if self.wants_content:
            trace.get_current_span().set_attribute(name, words if isinstance(words, str) else shown(words))

    @contextmanager
    def _span(
        self, name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL, start: int | None = None
    ) -> Iterator[None]:
        """A span. An error's words are not recorded: vendors quote what they refuse."""
        assert self._tracer is not None
        if (of := _generation.get()) is not None:
            attributes = {**attributes, "impresario.generation_id": of}
        how: Any = {"record_exception": False, "set_status_on_exception": False}
        with self._tracer.start_as_current_span(name, kind=kind, attributes=attributes, start_time=start, **how):
            try:
                yield
            except BaseException as error:
                self.failed(problem_in(error))
                raise

    # ---- the vendors' calls ----

    def on_response(self, call: Call, response: Response) -> None:
        """A call was answered."""
        if call.verb == "poll" and not response.finished:
            return  # a job is asked about for minutes; the numbers tell how often
        with self._call(call, response.duration_s):
            job = call.job_id or response.job_id
            self.note(
                {**used(response), **cost(response.cost_usd), **({"impresario.vendor_job_id": job} if job else {})}
            )
            if isinstance(call.content, ChatRequest):
                self._said("gen_ai.input.messages", [written(message) for message in call.content.messages])
            if isinstance(response.content, ChatReply):
                self._said("gen_ai.output.messages", [answered(response.content)])

    def on_error(self, call: Call, failure: Failure) -> None:
        """A call failed."""
        with self._call(call, failure.duration_s):
            self.note({"impresario.vendor_job_id": call.job_id} if call.job_id else {})
            self.failed({"code": failure.code, "message": str(failure.error)})

    def _call(self, call: Call, duration_s: float) -> AbstractContextManager[None]:
        if not self.on:
            return OFF
        operation = "chat" if call.verb == "complete" else call.verb
        said = {"gen_ai.operation.name": operation, **seller(call.vendor, call.model)}
        if call.modality is not None:
            said["gen_ai.output.type"] = OUTPUTS.get(call.modality, call.modality)
        start = time.time_ns() - int(duration_s * 1e9)
        return self._span(f"{operation} {call.model or call.vendor}", said, SpanKind.CLIENT, start)


# ---- attributes ------------------------------------------------------------------------------------------------------


def seller(vendor: str, model: str | None) -> Attributes:
    """Who was asked."""
    named = {"gen_ai.request.model": model} if model else {}
    return {"gen_ai.provider.name": PROVIDERS.get(vendor, vendor), **named}


def cost(cost_usd: Decimal | None) -> Attributes:
    """What it cost, where that is known."""
    return {} if cost_usd is None else {"impresario.cost_usd": float(cost_usd)}


def used(response: Response) -> Attributes:
    """What the vendor says it used, and why it stopped."""
    said: Attributes = {"gen_ai.response.finish_reasons": [response.finish_reason]} if response.finish_reason else {}
    if (usage := response.usage) is None:
        return said
    counts = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
    }
    return {**said, **{name: count for name, count in counts.items() if count is not None}}


def problem_in(error: BaseException) -> Attributes:
    """What an exception that goes through a span says of it."""
    found = getattr(error, "problem", None)
    return dict(found) if isinstance(found, Mapping) else {"code": Failure(0.0, error).code, "message": str(error)}


# ---- words, only where they are asked for ----------------------------------------------------------------------------


def shown(value: Any) -> str:
    """As JSON, which attributes take as text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def spoken(role: str, text: str) -> Attributes:
    """A message in the conventions' shape."""
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def written(message: Message) -> Attributes:
    """A message of a conversation; what it shows is named by its id."""
    parts: list[Attributes] = [{"type": "file", "modality": "image", "file_id": one} for one in message.media_ids]
    if message.role == "tool":
        parts.append({"type": "tool_call_response", "id": message.tool_call_id, "response": message.content})
    elif message.content:
        parts.append({"type": "text", "content": message.content})
    return {"role": message.role, "parts": [*parts, *asked(message.tool_calls)]}


def answered(reply: ChatReply) -> Attributes:
    """What the model said."""
    text = reply.content or reply.refusal
    parts = [{"type": "text", "content": text}] if text else []
    return {"role": "assistant", "parts": [*parts, *asked(reply.tool_calls)], "finish_reason": reply.finish_reason}


def asked(calls: Sequence[ToolCall]) -> list[Attributes]:
    """The tool calls a model asked for."""
    return [{"type": "tool_call", "id": one.id, "name": one.name, "arguments": one.arguments} for one in calls]


def words_of(request: MediaRequest) -> str:
    """What a media request asks for, in words."""
    return str(getattr(request, "prompt", None) or getattr(request, "text", None) or "")
