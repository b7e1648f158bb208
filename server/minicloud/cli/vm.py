"""`minicloud vm`: virtual machines."""

from __future__ import annotations

import sys
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from minicloud.client import ApiError
from minicloud.client.vm import Vm

from .batch import finish_batch
from .placement import show_placement
from .progress import wait_for
from .render import Column, age_of, field_of, mib, plain, print_json, show_list, show_one, size, state_of
from .session import DryRunOption, OutputOption, Session, TimeoutOption, WaitOption, session_of
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
    NumaOption,
    PinnedOption,
    PreferApartOption,
    PreferWithOption,
    PriorityOption,
    RamOption,
    SpreadOption,
)
from .vm_scheduling import describe_scheduling, scheduling_from
from .vm_spec import spec_from

app = typer.Typer(no_args_is_help=True, help="Virtual machines.")

VmArgument = Annotated[str, typer.Argument(metavar="VM", help="Its id or its name.")]

_SUMMARY: Final[list[Column]] = [
    ("ID", field_of("id")),
    ("NAME", field_of("name")),
    ("STATUS", state_of("status")),
    ("HOST", field_of("host")),
    ("CPU", field_of("cpu")),
    ("RAM", lambda vm: mib(vm.get("ram"))),
    ("IMAGE", field_of("image")),
    ("ADDRESSES", field_of("addresses")),
    ("AGE", age_of("created_at")),
]


def _preempted(vm: Vm) -> str:
    """For whom it had to make room, and when."""
    taken = vm.get("preempted")
    return "" if not taken else f"{taken['by']} of priority {taken['priority']}, {plain(taken['at'])}"


_FIELDS: Final[list[Column]] = [
    ("id", field_of("id")),
    ("name", field_of("name")),
    ("project", field_of("project")),
    ("status", state_of("status")),
    ("reason", field_of("status_reason")),
    ("preempted by", _preempted),
    ("desired", field_of("desired")),
    ("host", field_of("host")),
    ("cpu", field_of("cpu")),
    ("ram", lambda vm: mib(vm.get("ram"))),
    ("image", field_of("image")),
    ("disks", lambda vm: ", ".join(_disk(disk) for disk in vm.get("disks") or ())),
    ("nics", lambda vm: ", ".join(_nic(nic) for nic in vm.get("nics") or ())),
    ("addresses", field_of("addresses")),
    ("labels", field_of("labels")),
    ("scheduling", lambda vm: describe_scheduling(vm.get("scheduling") or {})),
    ("uuid", field_of("uuid")),
    ("epoch", field_of("epoch")),
    ("operation", field_of("operation")),
    ("created", field_of("created_at")),
    ("updated", field_of("updated_at")),
]


@app.command()
def create(
    ctx: typer.Context,
    *,
    name: Annotated[
        str | None, typer.Argument(help="Unique in its project. Left out with --file.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Many at once: their specs in YAML or JSON; - reads them from the input."),
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="With --file: make nothing unless all of it may be.")] = False,
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
    numa: NumaOption = 0,
    huge_pages: HugePagesOption = False,
    user_data: Annotated[Path | None, typer.Option(help="cloud-init user data, a file.", show_default=False)] = None,
    network_config: Annotated[
        Path | None, typer.Option(help="cloud-init network configuration, a file.", show_default=False)
    ] = None,
    ssh_key: Annotated[
        list[str] | None, typer.Option(metavar="KEY|FILE", help="A public key for the image's user; repeat for more.")
    ] = None,
    reservation: Annotated[
        str | None, typer.Option(metavar="ID", help="Into the room that it holds.", show_default=False)
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key with the same spec makes one VM.", show_default=False)
    ] = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = 300,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Make a VM and start it, or many of them at once with --file."""
    session = session_of(ctx, output)
    if file is not None:
        _check_alone(ctx)
        asked = _read_file(file) | ({"all": True} if whole else {})
        batch = session.client.batches.create(asked, dry_run=dry_run, idempotency_key=idempotency_key)
        finish_batch(session, batch, dry_run=dry_run, timeout=timeout if wait else None)
        return
    if name is None or whole:
        raise typer.BadParameter("one VM has a name, and --all is for those of --file", param_hint="NAME")
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
        numa=numa,
        huge_pages=huge_pages,
    )
    spec = spec_from(
        name,
        cpu=cpu,
        ram=ram,
        image=image,
        disks=disk or (),
        nics=nic or (),
        labels=label or (),
        host=host,
        scheduling=scheduling,
        user_data=user_data,
        network_config=network_config,
        ssh_keys=ssh_key or (),
    )
    if reservation is not None:
        spec["reservation"] = reservation
    vm = session.client.vms.create(spec, dry_run=dry_run, idempotency_key=idempotency_key)
    if dry_run:
        show_dry_run(session, vm)
        return
    finish(session, vm, f"create {name}", wait=wait, timeout=timeout)


def _read_file(file: Path) -> dict[str, Any]:
    """See ``batch_file``: whoever makes one VM need not wait for YAML to be loaded."""
    from .batch_file import read_batch  # noqa: PLC0415

    return read_batch(file)


def _check_alone(ctx: typer.Context) -> None:
    """Refuse what says something of one VM beside a file that says it of many."""
    said = ((one, ctx.get_parameter_source(one.name or "")) for one in ctx.command.params)
    given = [one for one, source in said if source is not None and source.name == "COMMANDLINE"]
    beside = [one.opts[0] for one in given if one.name not in _WITH_FILE]
    if beside:
        raise typer.BadParameter(f"the file says it: {', '.join(beside)}", param_hint="--file")


_WITH_FILE: Final = frozenset({"file", "whole", "idempotency_key", "wait", "timeout", "dry_run", "output"})


@app.command("list")
def list_vms(
    ctx: typer.Context,
    *,
    name: Annotated[str | None, typer.Option(help="Only this name.", show_default=False)] = None,
    status: Annotated[str | None, typer.Option(help="Only this status.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Only those on this host.", show_default=False)] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only those with this label; repeat for more.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default=False)] = None,
    output: OutputOption = None,
) -> None:
    """List VMs."""
    session = session_of(ctx, output)
    vms = session.client.vms.list(name=name, status=status, host=host, labels=label or (), most=limit)
    show_list(session, vms, _SUMMARY, nothing="no VMs; make one with: minicloud vm create NAME")


@app.command()
def show(ctx: typer.Context, vm: VmArgument, output: OutputOption = None) -> None:
    """Show one VM."""
    session = session_of(ctx, output)
    show_one(session, session.client.vms.get(vm), _FIELDS)


@app.command()
def delete(
    ctx: typer.Context,
    *,
    vm: VmArgument,
    wait: WaitOption = False,
    timeout: TimeoutOption = 300,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Delete a VM and its disks."""
    session = session_of(ctx, output)
    deleted = session.client.vms.delete(vm, dry_run=dry_run)
    if dry_run:
        show_dry_run(session, deleted)
        return
    operation = deleted.get("operation")
    if wait and operation:
        wait_for(session, operation, f"delete {vm}", timeout=timeout)
        session.err.print(f"{deleted.get('name', vm)} is deleted")
        return
    show_one(session, deleted, _FIELDS)


def _add_verb(verb: str, help_text: str) -> None:
    @app.command(verb, help=help_text)
    def change(
        ctx: typer.Context,
        *,
        vm: VmArgument,
        wait: WaitOption = False,
        timeout: TimeoutOption = 300,
        dry_run: DryRunOption = False,
        output: OutputOption = None,
    ) -> None:
        session = session_of(ctx, output)
        changed = session.client.vms.change(vm, verb, dry_run=dry_run)
        if dry_run:
            show_dry_run(session, changed)
            return
        finish(session, changed, f"{verb} {vm}", wait=wait, timeout=timeout)


_VERB_HELP: Final = {
    "start": "Start a stopped VM.",
    "reboot": "Ask the guest to reboot.",
    "reset": "Reset a VM as its reset button would.",
    "pause": "Freeze a VM in memory.",
    "resume": "Let a paused VM go on.",
}
for _verb, _help in _VERB_HELP.items():
    _add_verb(_verb, _help)


@app.command()
def stop(
    ctx: typer.Context,
    *,
    vm: VmArgument,
    graceful: Annotated[
        float | None, typer.Option(min=0, help="Seconds that the guest gets.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Pull the plug at once.")] = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = 300,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Shut a VM down; its plug is pulled when it does not react."""
    session = session_of(ctx, output)
    stopping = session.client.vms.change(vm, "stop", dry_run=dry_run, graceful=graceful, force=force or None)
    if dry_run:
        show_dry_run(session, stopping)
        return
    finish(session, stopping, f"stop {vm}", wait=wait, timeout=timeout)


@app.command()
def migrate(
    ctx: typer.Context,
    *,
    vm: VmArgument,
    host: Annotated[
        str | None, typer.Option(help="Where to; without it the scheduler picks.", show_default=False)
    ] = None,
    bandwidth: Annotated[
        int | None, typer.Option(min=0, help="At most so many MiB/s; 0 for no limit.", show_default=False)
    ] = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = 300,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Move a running VM to another host, live."""
    session = session_of(ctx, output)
    moving = session.client.vms.change(vm, "migrate", dry_run=dry_run, host=host, bandwidth_mib=bandwidth)
    if dry_run:
        show_dry_run(session, moving)
        return
    finish(session, moving, f"migrate {vm}", wait=wait, timeout=timeout)


@app.command()
def console(
    ctx: typer.Context,
    *,
    vm: VmArgument,
    tail: Annotated[int | None, typer.Option(min=1, help="So many bytes from the end.", show_default=False)] = None,
) -> None:
    """Print what a VM wrote to its serial console, byte for byte."""
    text = session_of(ctx).client.vms.console(vm, tail=tail)
    sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")


@app.command()
def explain(
    ctx: typer.Context,
    *,
    vm: VmArgument,
    history: Annotated[bool, typer.Option("--history", help="Also where it was before, newest first.")] = False,
    output: OutputOption = None,
) -> None:
    """Say why a VM is where it is, or was never made: each host with its score, or with what refused it."""
    session = session_of(ctx, output)
    try:
        placements = list(session.client.vms.placements(vm))
    except ApiError as error:
        missing = error.status == HTTPStatus.NOT_FOUND
        placements = _refusals(session, vm, most=None if history else 1) if missing else []
        if not placements:
            raise
    if session.json:
        print_json(placements)
        return
    for placement in placements[: None if history else 1]:
        show_placement(session, placement["decision"])


def _refusals(session: Session, name: str, *, most: int | None) -> list[dict[str, Any]]:
    """The decisions that found no host for a VM of that name, the newest first."""
    found = session.client.placements.list(name=name, refused=True, most=most)
    return [dict(session.client.placements.get(one["id"])) for one in found]


def show_dry_run(session: Session, answer: Vm) -> None:
    """What would happen: the VM as it would be, and the hosts that were looked at."""
    if session.json:
        print_json(answer)
        return
    show_one(session, answer, _FIELDS)
    placement = dict(answer).get("placement")
    if isinstance(placement, dict):
        show_placement(session, placement)


def finish(session: Session, vm: Vm, what: str, *, wait: bool, timeout: float) -> None:
    """Show the VM as it is now, or, when asked to wait, as it is when the operation has succeeded."""
    operation = vm.get("operation")
    if wait and operation:
        wait_for(session, operation, what, timeout=timeout)
        vm = session.client.vms.get(vm["id"])
    show_one(session, vm, _FIELDS)


def _disk(disk: dict[str, object]) -> str:
    amount = disk.get("size")
    text = f"{plain(disk.get('name'))} {size(amount if isinstance(amount, int) else None)}".strip()
    return f"{text} in {disk['pool']}" if disk.get("pool") else text


def _nic(nic: dict[str, object]) -> str:
    return " ".join(plain(nic[key]) for key in ("network", "mac", "model") if nic.get(key))
