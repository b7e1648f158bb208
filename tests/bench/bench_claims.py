"""How much room a second of processor time can be promised on hosts, durably, by clients that compete.

Everything but HTTP is the service's own: eight threads reserve room, or create VMs, through the services, on a SQLite
file that is synced at every commit. After each run every host is compared with its limits, as the database has them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from minicloud.services import reservation, vm
from minicloud.services.context import SYSTEM, Context
from minicloud.store import allocation as allocations
from minicloud.store import host as hosts
from minicloud.store.host import HostRow
from minicloud.store.image import ImageRow
from minicloud.store.project import ProjectRow
from minicloud.store.store import open_store
from minicloud_core.model.errors import NoCapacityError
from minicloud_core.model.reservation import parse_reservation
from minicloud_core.model.vm import parse_spec
from minicloud_core.scheduler.policy import BALANCED

from tests.bench.figures import Table
from tests.server.world import PlainSettings

# Claims room, for the VM of a number.
Claim = Callable[[Context, int], None]

CLIENTS = 8
FLEETS = (100, 1_000, 10_000)
GOALS = {100: 1_000, 1_000: 800, 10_000: 500}
CLAIMS = 2_000
_CPU, _RAM_MIB = 4, 65_536
# A host takes 16 VMs of one virtual CPU by the default policy. So many of each host's are claimed under the clock, at
# most; where they are that many, what is left is fought for by more than it has room for.
_TIMED, _FOUGHT_FOR = 15, 200


def measure(claims: int = CLAIMS) -> Table:
    """Reservations, then whole creates, on fleets of three sizes."""
    return Table(
        "Durable claims",
        f"{CLIENTS} clients at once claim room for VMs of 1 virtual CPU and 64 MiB, on a SQLite file that is synced at "
        "every commit: placed, re-checked against what others took, checked against quota and name, and written. A "
        "reservation is a row with its decision in short, an event and an audit entry; a create is that and the VM "
        "with its operation and all reasons for its place. Processor time is that of the whole process, the clients' "
        f"threads included. The first claim, which reads the fleet, is not counted. The smallest fleet is then fought "
        f"for by {_FOUGHT_FOR} claims more than were counted, until it refuses.",
        ("claim", "hosts", "made", "per CPU-second", "goal", "per second", "then refused", "hosts over a limit"),
        tuple(_row(kind, size, claims) for kind in KINDS for size in FLEETS),
    )


def _row(kind: str, size: int, claims: int) -> tuple[str, ...]:
    with _service(size) as context:
        run = _claim(context, KINDS[kind], min(claims, _TIMED * size))
        refused = _fight(context, KINDS[kind], run.made) if claims > _TIMED * size else 0
        over = _over_limits(context)
    goal = f"{GOALS[size]:,}" if kind == "reservation" else ""
    return (
        kind, f"{size:,}", f"{run.made:,}", f"{run.made / run.cpu:,.0f}", goal, f"{run.made / run.wall:,.0f}",
        f"{refused:,}", f"{over}",
    )  # fmt: skip


@dataclass(frozen=True)
class _Run:
    made: int
    cpu: float
    wall: float


def _claim(context: Context, make: Claim, claims: int) -> _Run:
    """Claim under the clock. There is room for all of them."""
    make(context, claims)
    with ThreadPoolExecutor(CLIENTS) as pool:
        cpu, wall = time.process_time(), time.monotonic()
        list(pool.map(lambda number: make(context, number), range(claims)))
        return _Run(claims, time.process_time() - cpu, time.monotonic() - wall)


def _fight(context: Context, make: Claim, made: int) -> int:
    """Claim more than there is room for.

    :returns: how many were refused.
    """

    def refused(number: int) -> bool:
        try:
            make(context, number)
        except NoCapacityError:
            return True
        return False

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(refused, range(made + 1, made + 1 + _FOUGHT_FOR)))


def _reserve(context: Context, _number: int) -> None:
    reservation.create(context, SYSTEM, [parse_reservation({"cpu": 1, "ram": 64, "ttl": 3600})])


def _create(context: Context, number: int) -> None:
    vm.create(context, SYSTEM, parse_spec({"name": f"claim-{number}", "cpu": 1, "ram": 64}))


KINDS: Final[dict[str, Claim]] = {"reservation": _reserve, "create": _create}


def _over_limits(context: Context) -> int:
    """Hosts on which more is promised than the policy lets."""
    limits = BALANCED.limits
    with context.read() as session:
        totals = allocations.totals(session, context.clock.now())
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
