"""How many VMs a second of processor time can be promised a host, durably, by clients that compete.

Everything but HTTP is the service's own: eight threads create VMs through the services, on a SQLite file that is
synced at every commit. After each run every host is compared with its limits, as the database has them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from minicloud.services import vm
from minicloud.services.context import SYSTEM, Context
from minicloud.store import allocation as allocations
from minicloud.store import host as hosts
from minicloud.store.host import HostRow
from minicloud.store.image import ImageRow
from minicloud.store.project import ProjectRow
from minicloud.store.store import open_store
from minicloud_core.model.errors import NoCapacityError
from minicloud_core.model.vm import parse_spec
from minicloud_core.scheduler.policy import BALANCED

from tests.bench.figures import Table
from tests.server.world import PlainSettings

CLIENTS = 8
FLEETS = (100, 1_000, 10_000)
GOALS = {100: 1_000, 1_000: 800, 10_000: 500}
CLAIMS = 2_000
# A host holds so many VMs of one virtual CPU; the small fleet is filled until it refuses.
_CPU, _RAM_MIB = 4, 65_536


def measure(claims: int = CLAIMS) -> Table:
    """Claims on fleets of three sizes."""
    rows = []
    for size in FLEETS:
        with _service(size) as context:
            run = _claim(context, claims)
            over = _over_limits(context)
        rows.append((
            f"{size:,}", f"{run.made:,}", f"{run.refused:,}", f"{run.made / run.cpu:,.0f}", f"{GOALS[size]:,}",
            f"{run.made / run.wall:,.0f}", f"{over}",
        ))  # fmt: skip
    return Table(
        "Durable claims",
        f"{CLIENTS} clients create VMs of 1 virtual CPU and 64 MiB at once, on a SQLite file that is synced at every "
        "commit: placed, checked against quota and name, and written with their operation and the reasons for their "
        "place. The first create, which reads the fleet, is not counted.",
        ("hosts", "made", "refused", "made per CPU-second", "goal", "made per second", "hosts over a limit"),
        tuple(rows),
    )


@dataclass(frozen=True)
class _Run:
    made: int
    refused: int
    cpu: float
    wall: float


def _claim(context: Context, claims: int) -> _Run:
    def create(number: int) -> bool:
        try:
            vm.create(context, SYSTEM, parse_spec({"name": f"claim-{number}", "cpu": 1, "ram": 64}))
        except NoCapacityError:
            return False
        return True

    create(claims)
    with ThreadPoolExecutor(CLIENTS) as pool:
        cpu, wall = time.process_time(), time.monotonic()
        answers = list(pool.map(create, range(claims)))
        return _Run(sum(answers), len(answers) - sum(answers), time.process_time() - cpu, time.monotonic() - wall)


def _over_limits(context: Context) -> int:
    """Hosts on which more is promised than the policy lets."""
    limits = BALANCED.limits
    with context.read() as session:
        totals = allocations.totals(session)
        return sum(
            totals[row.name][1] > row.cpu * limits.cpu_overcommit
            or totals[row.name][2] > row.ram_mib - limits.ram_reserved_mib
            for row in hosts.everything(session)
            if row.name in totals
        )


@contextmanager
def _service(size: int) -> Iterator[Context]:
    build = Path(__file__).parents[2] / ".build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as directory:
        store = open_store(f"sqlite:///{directory}/minicloud.db")
        try:
            store.migrate()
            context = Context(store, PlainSettings(Path(directory)), b"k" * 32)
            _furnish(context, size)
            yield context
        finally:
            store.close()


def _furnish(context: Context, size: int) -> None:
    now = datetime.now(UTC)
    with context.write() as session:
        session.add(ProjectRow(name="default", created_at=now, updated_at=now))
        session.add(
            ImageRow(
                name="tiny", kind="kernel", architecture="x86_64", cmdline="", format="qcow2", min_ram_mib=0,
                min_disk=0, files=[], created_at=now,
            )
        )  # fmt: skip
        session.add_all(_host(number, now) for number in range(size))


def _host(number: int, now: datetime) -> HostRow:
    name = f"host{number:05d}"
    return HostRow(
        name=name, address=name, ssh_user="root", ssh_port=22, libvirt_uri="", migrate_address=name, labels={},
        state="ready", state_at=now, cpu=_CPU, ram_mib=_RAM_MIB, disk_bytes=2**40, architecture="x86_64", load=0.0,
        load_at=now, created_at=now, updated_at=now,
    )  # fmt: skip
