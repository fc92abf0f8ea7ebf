"""Prometheus metrics on a port of their own, which a load balancer does not publish."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client import CollectorRegistry, Counter, Histogram, make_asgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from enlevohub_api.web import Receive, Scope, Send

if TYPE_CHECKING:
    from enlevohub_api.services import Services

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
UNKNOWN_ROUTE = "unknown"
"""The route of requests that no handler takes: their paths are endless."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Counts requests by route template and status."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "enlevohub_http_requests", "Answered requests", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "enlevohub_http_request_seconds",
            "Time until the end of the answer",
            ["method", "route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        # The library looks its series up by texts under a lock: keep them, there are few.
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        series = self._series.get((method, route, status))
        if series is None:
            known = method if method in _METHODS else "other"
            series = self._requests.labels(known, route, str(status)), self._seconds.labels(known, route)
            if known == method:
                self._series[method, route, status] = series
        series[0].inc()
        series[1].observe(seconds)


class ServiceCollector(Collector):
    """Reads the state of the service when it is asked."""

    def __init__(self, services: Services) -> None:
        """Keep what is read."""
        self._services = services

    def collect(self) -> Iterable[Metric]:
        """Give pool, requests under way, drain and token checks."""
        services = self._services
        connections = GaugeMetricFamily("enlevohub_database_connections", "Connections to PostgreSQL", labels=["state"])
        usage = services.database.usage()
        for state, number in usage.items():
            connections.add_metric([state], number)
        yield connections
        yield GaugeMetricFamily(
            "enlevohub_database_pool_size",
            "Most connections to PostgreSQL for requests",
            value=services.settings.database_pool_size,
        )
        yield GaugeMetricFamily("enlevohub_http_requests_running", "Requests under way", value=services.drain.running)
        yield GaugeMetricFamily("enlevohub_draining", "1 while the service leaves", value=services.drain.draining)
        checks = CounterMetricFamily("enlevohub_token_checks", "Checks of access tokens", labels=["by"])
        checks.add_metric(["lease"], services.revocations.by_lease)
        checks.add_metric(["database"], services.revocations.by_database)
        yield checks
        yield CounterMetricFamily(
            "enlevohub_lists_again", "Lists that were given without asking PostgreSQL", value=services.lists.again
        )
        if services.redis is not None:
            yield GaugeMetricFamily("enlevohub_redis_up", "1 when Redis answered last time", value=services.redis.up)


class MetricsServer(uvicorn.Server):
    """A second listener; the main one takes the signals."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


def metrics_server(services: Services) -> MetricsServer:
    """Make the listener of METRICS_PORT; every path but /metrics gives 404."""
    registry = services.metrics.registry
    registry.register(ServiceCollector(services))
    page = make_asgi_app(registry)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/metrics":
            await page(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    config = uvicorn.Config(
        app,
        host=services.settings.host,
        port=services.settings.metrics_port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
    )
    return MetricsServer(config)
