"""How long the API takes to answer at a steady rate, reading and creating.

Reading is measured on the fleet of real hosts. Creating is measured on a service of its own whose playbooks do
nothing (``tests/bench/playbooks``): hundreds of QEMUs on this machine would measure QEMU. Everything else is the real
thing, and busy: parsing, placing, the transaction, the runner and its runs.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import Table, milliseconds, percentile
from tests.bench.load import Request, Sample, run
from tests.lab.fleet import Fleet
from tests.lab.service import ROOT, Service

PLAYBOOKS = Path(__file__).parent / "playbooks"
HOSTS = 3
FLOOR_MS, AIM_MS = 200, 50


def measure(fleet: Fleet, *, rate: float, seconds: float) -> Table:
    """GET on the fleet, POST on the service with idle hands."""
    rows = [*_reads(fleet, rate, seconds), *_creates(rate, seconds)]
    return Table(
        "The API",
        f"{rate:g} requests a second, open loop, for {seconds:g} s each; times count from when a request was due. "
        f"The floor for p99 is {FLOOR_MS} ms, the aim {AIM_MS} ms.",
        ("request", "answers", "p50", "p99", "slowest"),
        tuple(rows),
    )


def _reads(fleet: Fleet, rate: float, seconds: float) -> Iterator[tuple[str, ...]]:
    vms = [fleet.client.vms.create({"name": f"bench-read-{number}", "ram": 128}, wait=60) for number in range(3)]
    try:
        paths = [f"/v1/vms/{vm['id']}" for vm in vms]
        url, token = fleet.service.url, fleet.service.token
        one = run(url, token, lambda number: Request("GET", paths[number % 3]), rate=rate, seconds=seconds)
        yield _row("GET /v1/vms/{vm}", one)
        many = run(url, token, lambda _number: Request("GET", "/v1/vms"), rate=rate, seconds=seconds)
        yield _row("GET /v1/vms", many)
    finally:
        fleet.remove(*(vm["id"] for vm in vms))


def _creates(rate: float, seconds: float) -> Iterator[tuple[str, ...]]:
    with _service_with_idle_hands() as service:
        dry = run(
            service.url,
            service.token,
            lambda number: Request("POST", "/v1/vms?dry_run=true", {"name": f"dry-{number}", "ram": 64}),
            rate=rate,
            seconds=seconds,
        )
        yield _row("POST /v1/vms?dry_run=true", dry)
        samples = run(
            service.url,
            service.token,
            lambda number: Request("POST", "/v1/vms", {"name": f"bench-{number}", "ram": 64}),
            rate=rate,
            seconds=seconds,
        )
        yield _row(f"POST /v1/vms, each a new VM on one of {HOSTS} hosts", samples)


@contextmanager
def _service_with_idle_hands() -> Iterator[Service]:
    state = ROOT / ".build" / "bench-api"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, mode=0o700)
    # The hosts are not there: what is known of them comes from here, once, and must not grow stale on the way.
    options = {"playbooks": str(PLAYBOOKS), "suspect_after": "3600", "observe_interval": "300"}
    service = Service(state, ("127.0.0.1:18086",), options=options)
    service.start()
    try:
        _register(service)
        yield service
    finally:
        service.stop()
        shutil.rmtree(state)


def _register(service: Service) -> None:
    """Register hosts and tell what an observer would have seen of them."""
    from minicloud.client import Client
    from minicloud.services import observation
    from minicloud.services.opening import open_context
    from minicloud.services.view.observation import HostObservation
    from minicloud.settings import Settings

    context = open_context(Settings(state_dir=service.state))
    try:
        with Client(service.url, service.token) as client:
            for number in range(1, HOSTS + 1):
                # An address of TEST-NET-1: nobody answers there.
                client.hosts.register({"name": f"idle{number}", "address": f"192.0.2.{number}"})
                observation.record(
                    context,
                    HostObservation(
                        f"idle{number}",
                        datetime.now(UTC),
                        cpu=1024,
                        ram_mib=4 * 1024 * 1024,
                        disk_bytes=2**44,
                        load=0.0,
                    ),
                )
            kernel = service.state / "kernel"
            kernel.write_bytes(b"nobody boots this")
            files = [{"role": "kernel", "path": str(kernel)}]
            client.images.register({"name": "tiny", "kind": "kernel", "files": files})
    finally:
        context.store.close()


def _row(name: str, samples: list[Sample]) -> tuple[str, ...]:
    times = [sample.seconds for sample in samples]
    statuses = Counter(sample.status for sample in samples)
    answers = ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(statuses.items()))
    return (
        name,
        answers,
        milliseconds(percentile(times, 0.5)),
        milliseconds(percentile(times, 0.99)),
        milliseconds(max(times)),
    )
