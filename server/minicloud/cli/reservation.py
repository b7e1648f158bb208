"""`minicloud reservation`: room that is held for a while, without a VM."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from .placement import show_placement
from .render import (
    Column,
    Row,
    age_of,
    duration,
    field_of,
    mib,
    parse_time,
    print_json,
    show_list,
    show_one,
    size,
    state_of,
)
from .session import DryRunOption, OutputOption, Session, session_of
from .vm_option import (
    AffinityOption,
    AntiAffinityOption,
    BandwidthOption,
    CpuFeatureOption,
    CpuOption,
    DiskOption,
    GroupOption,
    HostLabelOption,
    HostOption,
    HugePagesOption,
    ImageOption,
    LabelOption,
    MachineOption,
    NicOption,
    PinnedOption,
    PreferApartOption,
    PreferWithOption,
    PriorityOption,
    RamOption,
    SpreadOption,
)
from .vm_scheduling import describe_scheduling, scheduling_from
from .vm_spec import spec_from

app = typer.Typer(no_args_is_help=True, help="Room that is held for a while, without a VM.")

ReservationArgument = Annotated[str, typer.Argument(metavar="RESERVATION", help="Its id.")]


def _left(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Callable[[Row], str]:
    """Shows how long a reservation is held yet; nothing when it has ended."""

    def show(item: Row) -> str:
        until = parse_time(item.get("expires_at"))
        held = item.get("state") == "held" and until is not None
        return duration((until - now()).total_seconds()) if held and until is not None else ""

    return show


_COLUMNS: Final[list[Column]] = [
    ("ID", field_of("id")),
    ("NAME", field_of("name")),
    ("STATE", state_of("state")),
    ("HOST", field_of("host")),
    ("CPU", field_of("cpu")),
    ("RAM", lambda room: mib(room.get("ram"))),
    ("DISK", lambda room: size(room.get("disk_bytes"))),
    ("LEFT", _left()),
    ("VM", field_of("vm")),
    ("AGE", age_of("created_at")),
]
_FIELDS: Final[list[Column]] = [
    ("id", field_of("id")),
    ("name", field_of("name")),
    ("project", field_of("project")),
    ("state", state_of("state")),
    ("host", field_of("host")),
    ("cpu", field_of("cpu")),
    ("ram", lambda room: mib(room.get("ram"))),
    ("disk", lambda room: size(room.get("disk_bytes"))),
    ("image", field_of("image")),
    ("labels", field_of("labels")),
    ("scheduling", lambda room: describe_scheduling(room.get("scheduling") or {})),
    ("expires", field_of("expires_at")),
    ("left", _left()),
    ("vm", field_of("vm")),
    ("actor", field_of("actor")),
    ("created", field_of("created_at")),
    ("ended", field_of("ended_at")),
]


@app.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[str | None, typer.Argument(help="For people; held once in a project.", show_default=False)] = None,
    ttl: Annotated[int | None, typer.Option(metavar="SECONDS", help="For so long. [300]", show_default=False)] = None,
    cpu: CpuOption = None,
    ram: RamOption = None,
    image: ImageOption = None,
    disk: DiskOption = None,
    nic: NicOption = None,
    label: LabelOption = None,
    host: HostOption = None,
    host_label: HostLabelOption = None,
    group: GroupOption = None,
    affinity: AffinityOption = None,
    anti_affinity: AntiAffinityOption = None,
    prefer_with: PreferWithOption = None,
    prefer_apart: PreferApartOption = None,
    spread: SpreadOption = None,
    priority: PriorityOption = None,
    pinned: PinnedOption = False,
    cpu_feature: CpuFeatureOption = None,
    bandwidth: BandwidthOption = None,
    machine: MachineOption = None,
    huge_pages: HugePagesOption = False,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key with the same needs holds room once.", show_default=False)
    ] = None,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Hold room for a VM."""
    session = session_of(ctx, output)
    scheduling = scheduling_from(
        host_labels=host_label or (),
        group=group,
        terms={
            "affinity": affinity or (),
            "anti_affinity": anti_affinity or (),
            "prefer_with": prefer_with or (),
            "prefer_apart": prefer_apart or (),
        },
        spread=spread or (),
        priority=priority,
        pinned=pinned,
        cpu_features=cpu_feature or (),
        bandwidth_mbps=bandwidth,
        machine=machine,
        numa=0,
        huge_pages=huge_pages,
    )
    needs = spec_from(
        name,
        cpu=cpu,
        ram=ram,
        image=image,
        disks=disk or (),
        nics=nic or (),
        labels=label or (),
        host=host,
        scheduling=scheduling,
        user_data=None,
        network_config=None,
        ssh_keys=(),
    )
    if ttl is not None:
        needs["ttl"] = ttl
    _show(session, session.client.reservations.create(needs, dry_run=dry_run, idempotency_key=idempotency_key), dry_run)


@app.command("list")
def list_reservations(
    ctx: typer.Context,
    *,
    state: Annotated[str, typer.Option(help="held, used, released or expired; all for every one.")] = "held",
    name: Annotated[str | None, typer.Option(help="Only this name.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Only those on this host.", show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default=False)] = None,
    output: OutputOption = None,
) -> None:
    """List reservations, newest first."""
    session = session_of(ctx, output)
    rooms = session.client.reservations.list(state=None if state == "all" else state, name=name, host=host, most=limit)
    show_list(session, rooms, _COLUMNS, nothing="no reservations; make one with: minicloud reservation create")


@app.command()
def show(ctx: typer.Context, reservation: ReservationArgument, output: OutputOption = None) -> None:
    """Show one reservation, and why it is where it is."""
    session = session_of(ctx, output)
    _show(session, session.client.reservations.get(reservation), True)


@app.command()
def release(
    ctx: typer.Context, *, reservation: ReservationArgument, dry_run: DryRunOption = False, output: OutputOption = None
) -> None:
    """Give the room back before its time is over."""
    session = session_of(ctx, output)
    _show(session, session.client.reservations.release(reservation, dry_run=dry_run), False)


def _show(session: Session, room: Any, explain: bool) -> None:
    """:param explain: also the hosts that were looked at."""
    if session.json:
        print_json(room)
        return
    show_one(session, room, _FIELDS)
    if explain:
        show_placement(session, room["decision"])
