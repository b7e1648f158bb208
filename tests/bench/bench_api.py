"""How long the API takes to answer at a steady rate, reading and creating.

Reading is measured on the fleet of real hosts. Creating is measured on a service of its own whose hands are idle
(``tests/idle``): hundreds of QEMUs on this machine would measure QEMU. Everything else is the real thing, and busy:
parsing, placing, the transaction, the runner and its runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.bench.figures import Table, milliseconds, percentile
from tests.bench.load import Request, Sample, run
from tests.idle.cloud import idle_cloud
from tests.lab.fleet import Fleet
from tests.lab.service import ROOT

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
    with idle_cloud(ROOT / ".build" / "bench-api", hosts=HOSTS) as service:
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
