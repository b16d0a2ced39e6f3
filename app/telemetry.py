"""Logs and numbers about the process: one line per event on stderr, Prometheus at `/metrics`."""

from __future__ import annotations

import logging
import time
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

VERSION = version("impresario")
SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)


def configure_logging(level: str) -> None:
    """Log to stderr at this level; the libraries speak up from WARNING on."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True)
    logging.getLogger().setLevel(logging.WARNING)
    for name in ("app", "providers"):
        logging.getLogger(name).setLevel(level.upper())


class Metrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.generations = Counter(
            "impresario_generations", "Generations ended.", ("status", "stop_reason"), registry=self.registry
        )
        self.generation_seconds = Histogram(
            "impresario_generation_seconds", "From request to end.", buckets=SECONDS, registry=self.registry
        )
        self.calls = Counter(
            "impresario_vendor_calls", "Paid calls by the state they came to.", ("state",), registry=self.registry
        )
        self.requests = Counter(
            "impresario_http_requests", "HTTP requests.", ("method", "route", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "impresario_http_request_seconds",
            "Until the answer began.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("impresario_http_in_flight", "HTTP requests being served.", registry=self.registry)

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self.registry)

    def serve(self, host: str, port: int) -> None:
        """Tell the numbers at `/metrics` of a port of their own, from now on. Raises OSError when it is taken."""
        start_http_server(port, host, registry=self.registry)


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
