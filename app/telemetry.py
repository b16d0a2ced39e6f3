"""Logs and numbers about the process: one line per event on stderr, Prometheus at `/metrics`, and OpenTelemetry where
it is configured. The vendors' calls are told of by hooks (`providers.hooks`), which feed all of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily

from providers.hooks import Call, Failure, Hooks, Response
from providers.types import Usage

from .telemetry_meters import Meters
from .telemetry_otel import Otel, open_otel
from .telemetry_spans import Spans

VERSION = version("impresario")
SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
MOST_MODELS = 500
"""Models told apart. Who asks may name any model for the planner, and each would be a series of its own for ever."""


def configure_logging(level: str) -> None:
    """Log to stderr at this level; the libraries speak up from WARNING on."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True)
    logging.getLogger().setLevel(logging.WARNING)
    for name in ("app", "providers"):
        logging.getLogger(name).setLevel(level.upper())
    # Of a collector that is away it says so once for each batch, and not at each try.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)


class Telling(Protocol):
    """The setting telemetry needs."""

    @property
    def telemetry_content(self) -> bool:
        """Whether what was said may be recorded."""


class Metrics:
    """The numbers of one process, and where somebody collects them its spans. As hooks it counts the vendors' calls."""

    wants_content = False

    def __init__(self, otel: Otel | None = None, *, content: bool = False) -> None:
        self.otel = otel
        self.spans = Spans(otel, content=content)
        meter = otel.meter() if otel is not None else None
        self._meters = Meters(meter) if meter is not None else None
        self.waiting: Callable[[], Mapping[str, int]] = dict
        """Who stands in line in this process, by lane."""
        self._models: set[str] = set()
        self.registry = CollectorRegistry()
        self.registry.register(Lines(lambda: self.waiting()))
        self._of_the_house()
        self._of_the_vendors()

    @classmethod
    def configured(cls, settings: Telling, environment: Mapping[str, str]) -> Metrics:
        """With the exporters that the environment asks for, if any."""
        return cls(open_otel(environment, VERSION), content=settings.telemetry_content)

    def _of_the_house(self) -> None:
        self.generations = self._counter("generations", "Generations ended.", "status", "stop_reason")
        self.generation_seconds = self._histogram("generation_seconds", "From request to end.")
        self._first_event = self._histogram(
            "generation_first_event_seconds", "From request until the first model turn was over."
        )
        self.calls = self._counter("vendor_calls", "Paid calls by the state they came to.", "state")
        self._fallbacks = self._counter(
            "fallbacks", "Works asked of another model, because one could not start.", "refused", "asked", "code"
        )
        self.requests = self._counter("http_requests", "HTTP requests.", "method", "route", "status")
        self.request_seconds = self._histogram("http_request_seconds", "Until the answer began.", "method", "route")
        self.in_flight = self._gauge("http_in_flight", "HTTP requests being served.")

    def _of_the_vendors(self) -> None:
        self._seconds = self._histogram(
            "vendor_request_seconds", "Calls of the vendors, and how long they took.", "vendor", "model", "verb"
        )
        self._failures = self._counter(
            "vendor_failures", "Calls of the vendors that failed.", "vendor", "model", "verb", "code"
        )
        self._tokens = self._counter("vendor_tokens", "What the vendors counted.", "vendor", "model", "kind")
        self._jobs = self._histogram("job_seconds", "From a job's acceptance to its end.", "vendor", "model")
        self._cost = self._counter("cost_usd", "Known cost of settled calls.", "vendor", "model")
        self._unpriced = self._counter("unpriced_calls", "Calls settled at a cost not known.", "vendor", "model")
        self._running = self._gauge("lane_running", "Calls and jobs under way in this process.", "lane")

    def _counter(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(f"impresario_{name}", said, labels, registry=self.registry)

    def _gauge(self, name: str, said: str, *labels: str) -> Gauge:
        return Gauge(f"impresario_{name}", said, labels, registry=self.registry)

    def _histogram(self, name: str, said: str, *labels: str) -> Histogram:
        return Histogram(f"impresario_{name}", said, labels, buckets=SECONDS, registry=self.registry)

    # ---- out ----

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self.registry)

    def serve(self, host: str, port: int) -> None:
        """Tell the numbers at `/metrics` of a port of their own, from now on. Raises OSError when it is taken."""
        start_http_server(port, host, registry=self.registry)

    async def aclose(self) -> None:
        """Send what has not been sent yet."""
        if self.otel is not None:
            await asyncio.to_thread(self.otel.close)

    # ---- the vendors' calls ----

    def hooks(self) -> list[Hooks]:
        """Who is told of the vendors' calls."""
        spans, meters = [self.spans] if self.spans.on else [], [self._meters] if self._meters is not None else []
        return [self, *spans, *meters]

    def on_request(self, call: Call) -> None:
        """A call is about to be made."""
        if (lane := lane_of(call)) is not None:
            self._running.labels(lane).inc()

    def on_response(self, call: Call, response: Response) -> None:
        """It was answered."""
        vendor, model = self._over(call, response.duration_s)
        if response.usage is not None:
            for kind, count in tokens_of(response.usage).items():
                self._tokens.labels(vendor, model, kind).inc(count)

    def on_error(self, call: Call, failure: Failure) -> None:
        """It failed."""
        vendor, model = self._over(call, failure.duration_s)
        self._failures.labels(vendor, model, call.verb, failure.code).inc()

    def _over(self, call: Call, seconds: float) -> tuple[str, str]:
        if (lane := lane_of(call)) is not None:
            self._running.labels(lane).dec()
        seller = call.vendor, self._told_apart(call.model or "")
        self._seconds.labels(*seller, call.verb).observe(seconds)
        return seller

    def _told_apart(self, model: str) -> str:
        if model not in self._models:
            if len(self._models) >= MOST_MODELS:
                return "other"
            self._models.add(model)
        return model

    # ---- what the house itself knows ----

    def job(self, lane: str) -> AbstractContextManager[object]:
        """Around the following of a job, which holds a place in its lane."""
        return self._running.labels(lane).track_inprogress()

    def job_done(self, vendor: str, model: str, seconds: float) -> None:
        """A job was done, so long after it was accepted."""
        self._jobs.labels(vendor, model).observe(seconds)
        if self._meters is not None:
            self._meters.job(vendor, model, seconds)

    def settled(self, vendor: str, model: str, amount_usd: Decimal | None) -> None:
        """A receipt was settled, once it is committed; None: at a cost that is not known."""
        seller = vendor, self._told_apart(model)
        if amount_usd is None:
            self._unpriced.labels(*seller).inc()
            return
        self._cost.labels(*seller).inc(float(amount_usd))
        if self._meters is not None:
            self._meters.paid(*seller, amount_usd)

    def first_event(self, since: dt.datetime | None) -> None:
        """A generation asked for then has something to show for the first time."""
        if since is None:
            return
        seconds = (dt.datetime.now(dt.UTC) - since).total_seconds()
        self._first_event.observe(seconds)
        if self._meters is not None:
            self._meters.first_event(seconds)

    def fallback(self, refused: str, asked: str, code: str) -> None:
        """Another model is asked, because one could not start."""
        self._fallbacks.labels(refused, asked, code).inc()


class Lines:
    """A collector that looks who stands in line when it is asked, so that standing in line costs nothing."""

    def __init__(self, waiting: Callable[[], Mapping[str, int]]) -> None:
        self._waiting = waiting

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The lengths of the lines."""
        found = GaugeMetricFamily("impresario_lane_waiting", "Calls of this process in line.", labels=["lane"])
        for lane, length in self._waiting().items():
            found.add_metric([lane], length)
        yield found


def lane_of(call: Call) -> str | None:
    """The lane in which a call holds a place; None for those that need none."""
    return f"{call.vendor}.{call.modality}" if call.verb in ("complete", "submit") else None


def tokens_of(usage: Usage) -> Mapping[str, int]:
    """What was counted, by kind."""
    counts = {
        "input": usage.input_tokens,
        "cached_input": usage.cached_input_tokens,
        "image_input": usage.image_input_tokens,
        "audio_input": usage.audio_input_tokens,
        "output": usage.output_tokens,
    }
    return {kind: count for kind, count in counts.items() if count}


class MeasureRequests:
    """ASGI middleware: counts requests by route template, so that ids do not multiply the series."""

    def __init__(self, app: Any, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def measured(message: Any) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unmatched")
                self._metrics.requests.labels(scope["method"], route, message["status"]).inc()
                elapsed = time.perf_counter() - started
                self._metrics.request_seconds.labels(scope["method"], route).observe(elapsed)
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            await self._app(scope, receive, measured)
