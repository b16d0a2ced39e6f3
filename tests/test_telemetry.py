"""What is told of a run: the counters, the spans, and that no word of it is in them unless asked for."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from app.generations.orders import Order
from app.generations.service import Generation
from app.telemetry import MOST_MODELS, Metrics
from app.telemetry_otel import Otel, endpoint, headers_of, open_otel, resource_of
from providers.base import Family
from providers.catalogue import Model, Price
from providers.errors import QuotaExhausted, RateLimited
from providers.hooks import Call, Failure, Response
from providers.types import (
    ChatReply,
    ChatRequest,
    Done,
    Media,
    MediaRequest,
    Output,
    Pending,
    Ticket,
    ToolCall,
    Usage,
)
from tests.houses import house
from tests.server import HOST, Server

pytestmark = pytest.mark.anyio

PROMPT = "Draw a clandestine fox."
SPOKEN = ("clandestine", "vermilion", "painted", "forbidden")
"""Words of the prompt, of the tool's argument, of the answer, and of a refusal."""


def png() -> bytes:
    """A small picture."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "orange").save(file, "PNG")
    return file.getvalue()


class Acme(Family):
    """Plans one picture, and paints it as a job that takes two polls."""

    name = "acme"
    stand_in_poll_interval_s = poll_interval_s = 0.05
    models = (
        Model(id="mind", vendor="acme", modality="chat", capabilities=("tools",)),
        Model(
            id="brush",
            vendor="acme",
            modality="image",
            capabilities=("text_to_image",),
            price=(Price(unit="image", usd=Decimal("0.25")),),
        ),
    )

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.polls = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        usage = Usage(input_tokens=100, cached_input_tokens=40, output_tokens=7)
        if request.messages[-1].role == "tool":
            return ChatReply(content="It is painted.", finish_reason="stop", usage=usage, cost_usd=Decimal("0.5"))
        call = ToolCall(id="call_1", name="generate_image", arguments='{"prompt": "a vermilion fox"}')
        return ChatReply(tool_calls=(call,), finish_reason="tool_calls", usage=usage, cost_usd=Decimal("0.5"))

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        return Ticket(job_id="job_7")

    async def poll(self, ticket: Ticket) -> Done | Pending:
        self.polls += 1
        return Pending(progress=0.5) if self.polls == 1 else Done(outputs=(Output(data=png()),))


class Broke(Acme):
    """Cannot start, for a reason of its own."""

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        raise QuotaExhausted("acme says: forbidden")


class Rival(Family):
    """Paints the same at once."""

    name = "rival"
    models = (Acme.models[1].model_copy(update={"vendor": "rival", "rank": 200}),)

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        return Done(outputs=(Output(data=png()),), cost_usd=Decimal("0.125"))


class Ears:
    """Collects in memory what would be sent."""

    def __init__(self, *, content: bool = False) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.metrics = Metrics(Otel(tracers, MeterProvider([self._reader], shutdown_on_exit=False)), content=content)

    def spans(self) -> dict[str, ReadableSpan]:
        """The spans by their names; of several of a name the last."""
        return {span.name: span for span in self._spans.get_finished_spans()}

    def tree(self) -> set[tuple[str, str | None]]:
        """Which span is in which."""
        spans = self._spans.get_finished_spans()
        names = {span.context.span_id: span.name for span in spans}
        return {(span.name, names[span.parent.span_id] if span.parent else None) for span in spans}

    def measured(self) -> dict[str, dict[tuple[Any, ...], Any]]:
        """Sums by instrument and by the values of the attributes, sorted by their names."""
        data = self._reader.get_metrics_data()
        found: dict[str, dict[tuple[Any, ...], Any]] = {}
        for metric in (m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics) if data else ():
            for point in metric.data.data_points:
                key = tuple(value for _, value in sorted(point.attributes.items()))
                found.setdefault(metric.name, {})[key] = getattr(point, "value", None) or getattr(point, "sum", None)
        return found

    def said(self) -> str:
        """Everything in the spans."""
        return "\n".join(span.to_json() for span in self._spans.get_finished_spans())


def number(metrics: Metrics, name: str, **labels: str) -> float:
    """A number of `/metrics`; 0 while there is none."""
    families = text_string_to_metric_families(metrics.text().decode())
    samples = [sample for family in families for sample in family.samples if sample.name == f"impresario_{name}"]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


async def run(folder: Path, metrics: Metrics, *families: type[Family], prompt: str = PROMPT) -> Generation:
    """One generation, to its end."""
    async with house(folder, families or (Acme,), metrics, agent_model="acme/mind") as opened:
        generation_id, _ = await opened.service.start("", Order(prompt=prompt))
        return await opened.service.wait("", generation_id, 30)


# ---- spans -----------------------------------------------------------------------------------------------------------


async def test_spans_nest_as_the_work_does(tmp_path):
    ears = Ears()
    await run(tmp_path, ears.metrics)
    assert ears.tree() == {
        ("invoke_agent impresario", None),
        ("turn 1", "invoke_agent impresario"),
        ("chat mind", "turn 1"),
        ("execute_tool generate_image", "invoke_agent impresario"),
        ("generate_content brush", "execute_tool generate_image"),
        ("submit brush", "generate_content brush"),
        ("poll brush", "generate_content brush"),
        ("turn 2", "invoke_agent impresario"),
        ("chat mind", "turn 2"),
    }


async def test_every_span_names_its_generation(tmp_path):
    ears = Ears()
    generation = await run(tmp_path, ears.metrics)
    assert {span.attributes["impresario.generation_id"] for span in ears.spans().values()} == {generation.row["id"]}


async def test_a_run_tells_how_it_ended_and_what_it_cost(tmp_path):
    ears = Ears()
    await run(tmp_path, ears.metrics)
    said = dict(ears.spans()["invoke_agent impresario"].attributes)
    del said["impresario.generation_id"]
    assert said == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "impresario",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "mind",
        "impresario.again": False,
        "impresario.status": "completed",
        "impresario.stop_reason": "answered",
        "impresario.cost_usd": 1.25,
    }


async def test_a_model_turn_tells_its_tokens_and_why_it_stopped(tmp_path):
    ears = Ears()
    await run(tmp_path, ears.metrics)
    said = dict(ears.spans()["chat mind"].attributes)
    del said["impresario.generation_id"]
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "mind",
        "gen_ai.output.type": "text",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.response.finish_reasons": ("stop",),
        "impresario.cost_usd": 0.5,
    }


async def test_a_work_tells_its_job_its_receipt_and_its_cost(tmp_path):
    ears = Ears()
    generation = await run(tmp_path, ears.metrics)
    said = ears.spans()["generate_content brush"].attributes
    [receipt] = [row for row in generation.receipts if row["modality"] == "image"]
    assert (said["impresario.call_id"], said["impresario.vendor_job_id"]) == (receipt["id"], "job_7")
    assert (said["gen_ai.output.type"], said["impresario.cost_usd"], said["impresario.assets"]) == ("image", 0.25, 1)


def test_a_work_without_assets_does_not_tell_that_it_cost_nothing():
    ears = Ears()
    with ears.metrics.spans.generation("gen_1"):
        ears.metrics.spans.came_to({"assets": [], "transcript": {"text": "Hello."}})
    assert "impresario.cost_usd" not in ears.spans()["invoke_agent impresario"].attributes


async def test_a_tool_call_tells_which(tmp_path):
    ears = Ears()
    await run(tmp_path, ears.metrics)
    said = ears.spans()["execute_tool generate_image"].attributes
    names = ("gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.tool.type")
    assert [said[name] for name in names] == ["execute_tool", "generate_image", "call_1", "function"]


async def test_what_failed_tells_its_code_and_no_words(tmp_path):
    ears = Ears()
    await run(tmp_path, ears.metrics, Broke)
    for name in ("submit brush", "generate_content brush", "execute_tool generate_image"):
        span = ears.spans()[name]
        assert (span.attributes["error.type"], span.status.status_code.name) == ("quota_exhausted", "ERROR")
        assert (span.status.description, span.events) == (None, ())


async def test_a_run_taken_up_by_another_process_has_a_trace_of_its_own_and_the_same_id(tmp_path):
    class Slow(Acme):
        asked = asyncio.Event()
        done = False

        async def poll(self, ticket: Ticket) -> Done | Pending:
            self.asked.set()
            return Done(outputs=(Output(data=png()),)) if Slow.done else Pending()

    first, second = Ears(), Ears()
    async with house(tmp_path, [Slow], first.metrics, agent_model="acme/mind", shutdown_grace_s=1) as opened:
        generation_id, _ = await opened.service.start("", Order(prompt=PROMPT))
        await asyncio.wait_for(Slow.asked.wait(), 30)
    Slow.done = True
    async with house(tmp_path, [Slow], second.metrics, agent_model="acme/mind") as opened:
        await opened.service.wait("", generation_id, 30)
    before, after = (ears.spans()["invoke_agent impresario"] for ears in (first, second))
    assert before.context.trace_id != after.context.trace_id
    assert [span.attributes["impresario.generation_id"] for span in (before, after)] == [generation_id] * 2
    assert [span.attributes["impresario.again"] for span in (before, after)] == [False, True]
    assert before.attributes["error.type"] == "cancelled"
    assert "submit brush" not in second.spans()


async def test_a_run_that_is_cancelled_ends_its_spans():
    ears = Ears()
    with pytest.raises(TimeoutError), ears.metrics.spans.generation("gen_1"), ears.metrics.spans.turn(1):
        raise TimeoutError("secret")
    assert {span.attributes["error.type"] for span in ears.spans().values()} == {"TimeoutError"}


def test_names_are_those_of_the_conventions():
    source = "".join((Path(__file__).parents[1] / "app" / name).read_text() for name in FILES)
    used = {word for word in source.replace('"', " ").replace("`", " ").split() if word.startswith("gen_ai.")}
    known = {value for value in vars(gen_ai_attributes).values() if isinstance(value, str)}
    known |= {value for value in vars(gen_ai_metrics).values() if isinstance(value, str)}
    assert len(used) > 15
    assert used <= known


FILES = ("telemetry_spans.py", "telemetry_meters.py")


# ---- words -----------------------------------------------------------------------------------------------------------


async def test_nothing_that_was_said_is_in_the_spans(tmp_path):
    ears = Ears()
    await run(tmp_path, ears.metrics)
    await run(tmp_path, ears.metrics, Broke)
    assert [word for word in SPOKEN if word in ears.said()] == []


async def test_what_was_said_is_there_when_it_is_asked_for(tmp_path):
    ears = Ears(content=True)
    await run(tmp_path, ears.metrics)
    spans = ears.spans()
    assert "clandestine" in spans["invoke_agent impresario"].attributes["gen_ai.input.messages"]
    assert "painted" in spans["invoke_agent impresario"].attributes["gen_ai.output.messages"]
    assert "vermilion" in spans["execute_tool generate_image"].attributes["gen_ai.tool.call.arguments"]
    assert "asset_" in spans["execute_tool generate_image"].attributes["gen_ai.tool.call.result"]
    assert spans["generate_content brush"].attributes["impresario.prompt"] == "a vermilion fox"
    assert "tool_call_response" in spans["chat mind"].attributes["gen_ai.input.messages"]
    assert '"finish_reason": "stop"' in spans["chat mind"].attributes["gen_ai.output.messages"]


async def test_a_vendors_words_are_there_when_they_are_asked_for(tmp_path):
    ears = Ears(content=True)
    await run(tmp_path, ears.metrics, Broke)
    assert ears.spans()["submit brush"].status.description == "acme says: forbidden"


# ---- OpenTelemetry's instruments -------------------------------------------------------------------------------------


async def test_instruments_measure_tokens_times_and_cost(tmp_path):
    ears = Ears()
    await run(tmp_path, ears.metrics)
    measured = ears.measured()
    assert measured["gen_ai.client.token.usage"] == {
        ("chat", "acme", "mind", "input"): 200,
        ("chat", "acme", "mind", "output"): 14,
    }
    assert measured["impresario.cost"] == {("acme", "mind"): 1.0, ("acme", "brush"): 0.25}
    assert set(measured["gen_ai.client.operation.duration"]) == {
        ("chat", "acme", "mind"),
        ("generate_content", "acme", "brush"),
    }
    assert len(measured["impresario.generation.time_to_first_event"]) == 1


async def test_instruments_tell_failures_apart(tmp_path):
    ears = Ears()
    await run(tmp_path, ears.metrics, Broke)
    durations = ears.measured()["gen_ai.client.operation.duration"]
    assert ("quota_exhausted", "generate_content", "acme", "brush") in durations


# ---- Prometheus ------------------------------------------------------------------------------------------------------


async def test_counters_tell_each_vendors_calls_tokens_and_cost(tmp_path):
    metrics = Metrics()
    await run(tmp_path, metrics)
    mind, brush = {"vendor": "acme", "model": "mind"}, {"vendor": "acme", "model": "brush"}
    assert number(metrics, "vendor_request_seconds_count", verb="complete", **mind) == 2
    assert number(metrics, "vendor_request_seconds_count", verb="submit", **brush) == 1
    assert number(metrics, "vendor_request_seconds_count", verb="poll", **brush) == 2
    assert number(metrics, "vendor_tokens_total", kind="cached_input", **mind) == 80
    assert number(metrics, "cost_usd_total", **mind) == 1.0
    assert number(metrics, "cost_usd_total", **brush) == 0.25
    assert number(metrics, "job_seconds_count", **brush) == 1
    assert number(metrics, "generation_first_event_seconds_count") == 1
    assert number(metrics, "lane_running") == 0
    assert number(metrics, "vendor_failures_total") == 0


async def test_counters_tell_failures_and_who_was_asked_instead(tmp_path):
    metrics = Metrics()
    await run(tmp_path, metrics, Broke, Rival)
    failed = {"vendor": "acme", "model": "brush", "verb": "submit", "code": "quota_exhausted"}
    assert number(metrics, "vendor_failures_total", **failed) == 1
    moved = {"refused": "acme/brush", "asked": "rival/brush", "code": "quota_exhausted"}
    assert number(metrics, "fallbacks_total", **moved) == 1
    assert number(metrics, "cost_usd_total", vendor="rival") == 0.125


def test_a_cost_that_is_not_known_is_counted_apart():
    metrics = Metrics()
    metrics.settled("acme", "brush", None)
    assert number(metrics, "cost_usd_total") == 0
    assert number(metrics, "unpriced_calls_total", vendor="acme", model="brush") == 1


def test_lanes_tell_who_is_under_way_and_who_stands_in_line():
    metrics, call = Metrics(), Call(1, "acme", "submit", "image", "brush")
    metrics.waiting = lambda: {"acme.image": 3}
    metrics.on_request(call)
    with metrics.job("acme.image"):
        assert number(metrics, "lane_running", lane="acme.image") == 2
    metrics.on_error(call, Failure(0.1, RateLimited("later")))
    assert number(metrics, "lane_running", lane="acme.image") == 0
    assert number(metrics, "lane_waiting", lane="acme.image") == 3


def test_models_that_anybody_may_name_do_not_make_series_for_ever():
    metrics = Metrics()
    for position in range(MOST_MODELS + 5):
        metrics.on_response(Call(position, "openai", "complete", "chat", f"m{position}"), Response(0.1))
    assert number(metrics, "vendor_request_seconds_count", model="other") == 5


def test_time_to_the_first_event_is_counted_from_the_request():
    metrics = Metrics()
    metrics.first_event(dt.datetime.now(dt.UTC) - dt.timedelta(seconds=3))
    assert 3 <= number(metrics, "generation_first_event_seconds_sum") < 60


# ---- configuration ---------------------------------------------------------------------------------------------------


def test_nothing_is_made_unless_somebody_collects_it():
    metrics = Metrics()
    assert open_otel({}, "1") is None
    assert metrics.hooks() == [metrics]
    assert metrics.spans.generation("gen_1") is metrics.spans.turn(1)


@pytest.mark.parametrize(
    ("environment", "traces"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/own"}, "http://c/own"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/own"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4318"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, None),
        ({}, None),
    ],
)
def test_the_standards_names_say_where_spans_go(environment, traces):
    assert endpoint(environment, "TRACES") == traces


def test_a_collectors_key_may_stand_in_the_env_file():
    environment = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,a=b"}
    assert headers_of(environment, "TRACES") == {"authorization": "Bearer x", "a": "b"}
    assert headers_of({}, "TRACES") is None


def test_a_process_says_who_it_is(monkeypatch):
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    said, other = resource_of({}, "1.2").attributes, resource_of({"OTEL_SERVICE_NAME": "mine"}, "1.2").attributes
    assert (said["service.name"], said["service.version"], other["service.name"]) == ("impresario", "1.2", "mine")
    assert said["service.instance.id"]
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=theirs,deployment.environment.name=test")
    assert resource_of({}, "1.2").attributes["service.name"] == "theirs"


# ---- a real server ---------------------------------------------------------------------------------------------------


class Collector:
    """Takes what exporters send, on loopback."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *said: Any) -> None:
                """Nothing."""

        self._server = HTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> list[Any]:
        """Every span that came."""
        requests = [ExportTraceServiceRequest.FromString(body) for path, body in self.received if "traces" in path]
        scopes = [scope for request in requests for found in request.resource_spans for scope in found.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def instruments(self) -> set[str]:
        """The names of everything measured."""
        requests = [ExportMetricsServiceRequest.FromString(body) for path, body in self.received if "metrics" in path]
        scopes = [scope for request in requests for found in request.resource_metrics for scope in found.scope_metrics]
        return {metric.name for scope in scopes for metric in scope.metrics}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """What a server sent in its life, in which it made a picture and was asked for a list."""
    collecting = Collector()
    environment = {"OFFLINE": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collecting.url}
    with Server(tmp_path_factory.mktemp("telemetry"), environment) as server:
        assert server.post("/generate", {"prompt": "An image of a clandestine fox"}).status == 200
        assert server.get("/generations?limit=7").status == 200
        collecting.numbers = server.get("/metrics").body.decode()  # type: ignore[attr-defined]
    yield collecting
    collecting.close()


def test_a_server_sends_the_spans_of_a_generation_in_the_trace_of_its_request(collector):
    spans = {span.name: span for span in collector.spans()}
    run, request = spans["invoke_agent impresario"], spans["POST /generate"]
    assert (run.trace_id, run.parent_span_id) == (request.trace_id, request.span_id)
    assert {"execute_tool generate_image", "chat offline-planner", "GET /generations"} <= set(spans)


def test_a_server_sends_no_words_and_no_queries(collector):
    assert [path for path, body in collector.received if b"clandestine" in body or b"limit=7" in body] == []


def test_looking_whether_a_server_lives_makes_no_spans(collector):
    assert [span.name for span in collector.spans() if "/ready" in span.name or "/metrics" in span.name] == []


def test_a_server_sends_its_measurements_when_it_leaves(collector):
    assert {"gen_ai.client.operation.duration", "http.server.request.duration"} <= collector.instruments()


def test_a_server_tells_the_vendors_calls_at_metrics(collector):
    called = 'impresario_vendor_request_seconds_count{model="offline-planner",vendor="offline",verb="complete"}'
    assert called in collector.numbers
    assert "impresario_generation_first_event_seconds_count 1.0" in collector.numbers
    assert 'impresario_lane_running{lane="offline.chat"} 0.0' in collector.numbers
