"""Figures of the parts beside the API, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .controllers.service import Controllers
from .observer.service import Observer
from .runner.service import Runner


@dataclass(frozen=True)
class PartsCollector(Collector):
    """Asks each part at every scrape what it is at."""

    observer: Observer
    runner: Runner
    controllers: Controllers

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering this asks nobody."""
        return ()

    def collect(self) -> Iterator[Metric]:
        run, seen, controlled = self.runner.status(), self.observer.status(), self.controllers.status()
        yield _gauge("minicloud_runs", "Playbook runs under way.", run.runs)
        yield _gauge("minicloud_run_operations", "Operations in playbook runs under way.", run.operations)
        yield _gauge("minicloud_observed_hosts", "Hosts under observation.", seen.hosts)
        yield _gauge("minicloud_connected_hosts", "Hosts with a libvirt connection.", seen.connected)
        yield CounterMetricFamily("minicloud_reconciler_passes", "Passes of the reconciler.", controlled.passes)
        yield CounterMetricFamily("minicloud_reconciler_applied", "Intents carried out.", controlled.applied)
        yield _gauge(
            "minicloud_reconciler_doubts_itself", "1 while too many hosts are silent.", int(bool(controlled.doubt))
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)
