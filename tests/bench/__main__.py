"""`make bench`: measure, print, and keep the figures in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import sys

from tests.bench import (
    bench_api,
    bench_batch,
    bench_claims,
    bench_memory,
    bench_planning,
    bench_scheduler,
    bench_vm,
    report,
)
from tests.bench.figures import Table
from tests.lab.fleet import Fleet, Site
from tests.lab.service import ROOT

# One host for all, so that both ways are measured on the same; it must take as many VMs as a batch has.
SITE = Site("bench", "10.83.0.0/24", 18083, hosts=1, onboarding=(("registration_cpu_overcommit", "64"),))


def main() -> int:
    arguments = _parse()
    # First, while this process is small: the load comes from it, and a full garbage collection would hold it up.
    service = _measure_service(arguments)
    tables = [
        *service,
        *bench_scheduler.measure(),
        *bench_batch.measure(),
        *bench_planning.measure(),
        bench_memory.measure(),
        bench_claims.measure(),
    ]
    for table in tables:
        print(f"\n{table.text()}")
    if not arguments.dry:
        report.write(ROOT / "docs" / "benchmarks.md", tables, "make bench")
    return 0


def _measure_service(arguments: argparse.Namespace) -> list[Table]:
    fleet = Fleet(SITE)
    keep = os.environ.get("MINICLOUD_KEEP_LAB") == "1"
    if keep and SITE.state.exists():
        fleet.service.start()
    else:
        fleet.up()
    try:
        return [
            bench_vm.measure(fleet, rounds=arguments.rounds, batch=arguments.batch),
            bench_api.measure(fleet, rate=arguments.rate, seconds=arguments.seconds),
        ]
    finally:
        if keep:
            fleet.service.stop()
        else:
            fleet.down()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rate", type=float, default=50, help="requests a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="of each load (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="of one VM (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=20, help="VMs at once (default: %(default)s)")
    parser.add_argument("--dry", action="store_true", help="print alone, write nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
