"""The same numbers as at `/metrics`, as OpenTelemetry's instruments: those the conventions for generative AI name, and
two of our own for what these leave out. Without a meter nothing is measured."""

from __future__ import annotations

from decimal import Decimal

from opentelemetry.metrics import Meter

from providers.hooks import Call, Failure, Quiet, Response
from providers.types import Usage

from .telemetry_spans import Attributes, seller

TOKENS = [4**power for power in range(14)]
SECONDS = [0.01 * 2**power for power in range(18)]
"""Bounds of the histograms: the conventions' own, and further up to 22 minutes, because films take their time."""


class Meters(Quiet):
    """Measures the vendors' calls, and what the house itself knows."""

    def __init__(self, meter: Meter) -> None:
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self._seconds = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._cost = meter.create_counter("impresario.cost", "{USD}", "Known cost of settled calls.")
        self._first = meter.create_histogram(
            "impresario.generation.time_to_first_event",
            "s",
            "From the request until the first model turn was over.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )

    # ---- as hooks ----

    def on_response(self, call: Call, response: Response) -> None:
        """A call was answered: its tokens; and its time, where it was the whole work."""
        operation, who = operation_of(call), seller(call.vendor, call.model)
        if operation is not None and response.finished:
            self._seconds.record(response.duration_s, {"gen_ai.operation.name": operation, **who})
        if response.usage is not None:
            self._used(response.usage, {"gen_ai.operation.name": operation or "generate_content", **who})

    def on_error(self, call: Call, failure: Failure) -> None:
        """A call failed."""
        if (operation := operation_of(call)) is not None:
            said = {"gen_ai.operation.name": operation, "error.type": failure.code}
            self._seconds.record(failure.duration_s, {**said, **seller(call.vendor, call.model)})

    def _used(self, usage: Usage, said: Attributes) -> None:
        for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if count is not None:
                self._tokens.record(count, {**said, "gen_ai.token.type": kind})

    # ---- what the house knows ----

    def job(self, vendor: str, model: str, seconds: float) -> None:
        """A job was done so long after it was accepted."""
        self._seconds.record(seconds, {"gen_ai.operation.name": "generate_content", **seller(vendor, model)})

    def paid(self, vendor: str, model: str, amount_usd: Decimal) -> None:
        """A call was settled."""
        self._cost.add(float(amount_usd), seller(vendor, model))

    def first_event(self, seconds: float) -> None:
        """A generation has something to show."""
        self._first.record(seconds)


def operation_of(call: Call) -> str | None:
    """The operation that this call is, or may be, the whole of; None for questions about a job."""
    return {"complete": "chat", "submit": "generate_content"}.get(call.verb)
