"""Figures for Prometheus: requests as they pass, the fleet as it is when asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from minicloud.services import host, metric
from minicloud.services.context import SYSTEM, Context

_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class RequestMeter:
    """Counts requests by route template and status, and their times by route."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "minicloud_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "minicloud_http_request_seconds",
            "Time from a request to the end of its answer.",
            ("method", "route"),
            registry=registry,
            buckets=_BUCKETS,
        )

    def __call__(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class FleetCollector(Collector):
    """What the database holds, counted at each scrape."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering this does not read the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        counts = metric.counts(self._context)
        operations = GaugeMetricFamily(
            "minicloud_operations", "Operations by kind and state.", labels=("kind", "state")
        )
        for (kind, state), number in sorted(counts.operations.items()):
            operations.add_metric((kind, state), number)
        yield operations
        yield _by("minicloud_hosts", "Hosts by state.", "state", counts.hosts)
        yield _by("minicloud_vms", "VMs by status.", "status", counts.vms)
        yield _by("minicloud_reservations", "Reservations by state.", "state", counts.reservations)
        yield self._ages()

    def _ages(self) -> Metric:
        text = "Seconds since a host was last observed."
        ages = GaugeMetricFamily("minicloud_host_observation_age_seconds", text, labels=("host",))
        now = self._context.clock.now()
        for view in host.list_all(self._context, SYSTEM):
            if view.observed_at is not None:
                ages.add_metric((view.name,), (now - view.observed_at).total_seconds())
        return ages


def _by(name: str, text: str, label: str, numbers: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, number in sorted(numbers.items()):
        family.add_metric((value,), number)
    return family
