"""OpenTelemetry, where somebody collects it: opened when `OTEL_EXPORTER_OTLP_ENDPOINT` is set, and else not there.

The names are the standard's (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). Addresses,
headers and the service's name may also stand in `.env`; the rest (sampling, intervals, time limits) the SDK reads from
the environment of the process itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace import Tracer, TracerProvider

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

log = logging.getLogger(__name__)

NAME = "impresario"
PROTOCOL = "http/protobuf"


@dataclass(frozen=True)
class Otel:
    """Where spans and measurements go. What is None is not collected."""

    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    version: str = ""
    ours: bool = False
    """Whether they were opened here, and so are closed here."""

    def tracer(self) -> Tracer | None:
        """Makes the spans of this application."""
        return None if self.tracer_provider is None else self.tracer_provider.get_tracer(NAME, self.version)

    def meter(self) -> Meter | None:
        """Makes its instruments."""
        return None if self.meter_provider is None else self.meter_provider.get_meter(NAME, self.version)

    def close(self) -> None:
        """Send what is left, and stop. Blocks, for as long as an export may take."""
        for provider in (self.tracer_provider, self.meter_provider) if self.ours else ():
            if (shutdown := getattr(provider, "shutdown", None)) is not None:
                shutdown()


def endpoint(environment: Mapping[str, str], signal: str) -> str | None:
    """Where `TRACES` or `METRICS` are sent to; None when they are not to be, or cannot."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if environment.get(f"OTEL_{signal}_EXPORTER", "otlp") == "none":
        return None
    base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    named = f"{base.rstrip('/')}/v1/{signal.lower()}" if base else None
    address = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or named
    if address and not address.startswith(("http://", "https://")):
        log.warning("OTEL_EXPORTER_OTLP_ENDPOINT begins neither with http:// nor with https://; nothing is sent there")
        return None
    return address


def open_otel(environment: Mapping[str, str], version: str) -> Otel | None:
    """The exporters the environment asks for; None when it asks for none, and then the SDK is not even loaded."""
    traces, metrics = endpoint(environment, "TRACES"), endpoint(environment, "METRICS")
    if not traces and not metrics:
        return None
    if (wanted := environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOL)) != PROTOCOL:
        log.warning("OTEL_EXPORTER_OTLP_PROTOCOL is %s, but only %s is spoken here; it is used", wanted, PROTOCOL)
    resource = resource_of(environment, version)
    return Otel(
        _tracer_provider(traces, headers_of(environment, "TRACES"), resource) if traces else None,
        _meter_provider(metrics, headers_of(environment, "METRICS"), resource) if metrics else None,
        version,
        ours=True,
    )


def headers_of(environment: Mapping[str, str], signal: str) -> dict[str, str] | None:
    """The headers sent along, such as a collector's key."""
    from opentelemetry.util.re import parse_env_headers

    own = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_HEADERS")
    text = own or environment.get("OTEL_EXPORTER_OTLP_HEADERS")
    return dict(parse_env_headers(text, liberal=True)) if text else None


def resource_of(environment: Mapping[str, str], version: str) -> Resource:
    """Who tells: name and version; the SDK adds which of the processes, and `OTEL_RESOURCE_ATTRIBUTES`."""
    from opentelemetry.sdk.resources import Resource

    name = environment.get("OTEL_SERVICE_NAME")
    found = Resource.create({"service.name": name} if name else {})
    if str(found.attributes.get("service.name", "unknown_service")).startswith("unknown_service"):
        found = found.merge(Resource({"service.name": NAME}))
    return Resource({"service.version": version}).merge(found)


def _tracer_provider(address: str, headers: dict[str, str] | None, resource: Resource) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider as Provider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = Provider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(without_queries())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address, headers=headers)))
    return provider


def _meter_provider(address: str, headers: dict[str, str] | None, resource: Resource) -> MeterProvider:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider as Provider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=address, headers=headers))
    return Provider([reader], resource=resource, shutdown_on_exit=False)


def without_queries() -> SpanProcessor:
    """Takes what stands behind the `?` out of the HTTP spans: in the links to assets it may be a signature."""
    from opentelemetry.sdk.trace import SpanProcessor

    class WithoutQueries(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            if span.attributes and "url.query" in span.attributes:
                span.set_attribute("url.query", "REDACTED")

    return WithoutQueries()
