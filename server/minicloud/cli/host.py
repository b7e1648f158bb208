"""`minicloud host`: the machines that VMs run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from .progress import wait_for
from .render import Column, field_of, mib, plain, show_list, show_one, size, state_of
from .session import OutputOption, TimeoutOption, WaitOption, session_of
from .vm_spec import labels_from

app = typer.Typer(no_args_is_help=True, help="The machines that VMs run on.")

HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="Its name.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept in the audit.", show_default=False)]


def _load(load: float | None) -> str:
    return "" if load is None else f"{load:.0%}"


def _watts(power: Mapping[str, float] | None) -> str:
    return f"{power['idle_w']:g} W idle, {power['max_w']:g} W at full load" if power else ""


def _measured(host: Any) -> str:
    """What was measured beside the CPU use, as far as it is known."""
    told = host.get("measured") or {}
    shown = [f"{word} {told[name]:{form}}{unit}" for name, word, form, unit in _MEASURED if told.get(name) is not None]
    return ", ".join(shown)


_MEASURED: Final = (
    ("memory", "memory", ".0%", ""),
    ("pressure", "waiting for a CPU", ".0%", ""),
    ("network_mbps", "network", ".0f", " Mbit/s"),
    ("io_latency_ms", "disks answer in", ".1f", " ms"),
)


def _pools(pools: Mapping[str, int] | None) -> str:
    return ", ".join(f"{name} {size(held)}" for name, held in (pools or {}).items())


def _nodes(nodes: Sequence[Mapping[str, int]] | None) -> str:
    return ", ".join(map(_node, nodes or ()))


def _node(node: Mapping[str, int]) -> str:
    huge = f" ({mib(node['huge_pages_mib'])} in huge pages)" if node["huge_pages_mib"] else ""
    return f"{node['id']}: {node['cpu']} CPUs, {mib(node['ram_mib'])}{huge}"


def _used(host: Any, key: str, show: Callable[[int], str]) -> str:
    if key not in host:
        return ""
    return f"{show(host[key])}, {show((host.get('allocated') or {}).get(key, 0))} promised"


_SUMMARY: Final[list[Column]] = [
    ("NAME", field_of("name")),
    ("STATE", state_of("state")),
    ("CORDONED", field_of("cordoned")),
    ("ADDRESS", field_of("address")),
    ("ACCELERATOR", field_of("accelerator")),
    ("CPU", field_of("cpu")),
    ("RAM", lambda host: mib(host.get("ram_mib"))),
    ("VMS", field_of("vms")),
    ("LOAD", lambda host: _load(host.get("load"))),
]
_FIELDS: Final[list[Column]] = [
    ("name", field_of("name")),
    ("state", state_of("state")),
    ("reason", field_of("state_reason")),
    ("cordoned", field_of("cordoned")),
    ("address", field_of("address")),
    ("libvirt", field_of("libvirt_uri")),
    ("accelerator", field_of("accelerator")),
    ("cpu", lambda host: _used(host, "cpu", plain)),
    ("ram", lambda host: _used(host, "ram_mib", mib)),
    ("disk", lambda host: _used(host, "disk_bytes", size)),
    ("pools", lambda host: _pools(host.get("pools"))),
    ("numa", lambda host: _nodes(host.get("numa"))),
    ("load", lambda host: _load(host.get("load"))),
    ("measured", _measured),
    ("vms", field_of("vms")),
    ("images", field_of("images")),
    ("fence", field_of("fence_agent")),
    ("labels", field_of("labels")),
    ("dedicated", field_of("dedicated")),
    ("power", lambda host: _watts(host.get("power"))),
    ("bandwidth", lambda host: f"{host['bandwidth_mbps']} Mbit/s" if host.get("bandwidth_mbps") else ""),
    ("seen", field_of("observed_at")),
]
_DOMAINS: Final[list[Column]] = [
    ("NAME", field_of("name")),
    ("STATE", state_of("state")),
    ("VM", field_of("vm")),
    ("MANAGED", field_of("managed")),
    ("UUID", field_of("uuid")),
]


@app.command("list")
def list_hosts(ctx: typer.Context, output: OutputOption = None) -> None:
    """List hosts."""
    session = session_of(ctx, output)
    show_list(
        session, session.client.hosts.list(), _SUMMARY, nothing="no hosts; onboard one with playbooks/onboard_host.yml"
    )


@app.command()
def show(ctx: typer.Context, host: HostArgument, output: OutputOption = None) -> None:
    """Show one host."""
    session = session_of(ctx, output)
    show_one(session, session.client.hosts.get(host), _FIELDS)


@app.command()
def register(
    ctx: typer.Context,
    *,
    host: HostArgument,
    address: Annotated[str, typer.Option(help="Where it is reached.")],
    ssh_user: Annotated[str, typer.Option(help="Who playbooks log in as.")] = "root",
    ssh_port: Annotated[int, typer.Option(min=1, max=65535, help="Where its sshd listens.")] = 22,
    ssh_key_file: Annotated[
        str | None, typer.Option(help="The private key, on the service's machine.", show_default=False)
    ] = None,
    libvirt_uri: Annotated[
        str | None, typer.Option(help="How the service watches it, qemu+tls://… by default.", show_default=False)
    ] = None,
    migrate_address: Annotated[
        str | None, typer.Option(help="Where others send migrations, if not to its address.", show_default=False)
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; repeat for more.")] = None,
    dedicated: Annotated[
        list[str] | None, typer.Option(metavar="PROJECT", help="Takes this project's VMs alone; repeat for more.")
    ] = None,
    idle_watts: Annotated[float | None, typer.Option(min=0, help="What it draws idle.", show_default=False)] = None,
    max_watts: Annotated[
        float | None, typer.Option(min=0, help="What it draws at full load.", show_default=False)
    ] = None,
    bandwidth: Annotated[
        int | None, typer.Option(min=0, metavar="MBPS", help="Its network's, Mbit/s.", show_default=False)
    ] = None,
    fence_agent: Annotated[
        str | None, typer.Option(help="What cuts its power, fence_ipmilan or another.", show_default=False)
    ] = None,
    fence_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="What the agent is told; repeat for more.")
    ] = None,
    output: OutputOption = None,
) -> None:
    """Make a host known that is already set up; playbooks/onboard_host.yml does both."""
    session = session_of(ctx, output)
    spec: dict[str, Any] = {
        "name": host,
        "address": address,
        "ssh_user": ssh_user,
        "ssh_port": ssh_port,
        "ssh_key_file": ssh_key_file,
        "libvirt_uri": libvirt_uri,
        "migrate_address": migrate_address,
        "labels": labels_from(label or ()),
        "dedicated": dedicated,
        "power": _power(idle_watts, max_watts),
        "bandwidth_mbps": bandwidth,
        "fence": None
        if fence_agent is None
        else {"agent": fence_agent, "options": labels_from(fence_option or (), option="--fence-option")},
    }
    registered = session.client.hosts.register({key: value for key, value in spec.items() if value is not None})
    show_one(session, registered, _FIELDS)


def _power(idle: float | None, most: float | None) -> dict[str, float] | None:
    said = {"idle_w": idle, "max_w": most}
    return {key: watts for key, watts in said.items() if watts is not None} or None


@app.command()
def cordon(ctx: typer.Context, *, host: HostArgument, reason: ReasonOption = "", output: OutputOption = None) -> None:
    """Place no further VMs there; those that are there stay."""
    session = session_of(ctx, output)
    show_one(session, session.client.hosts.cordon(host, reason=reason), _FIELDS)


@app.command()
def uncordon(ctx: typer.Context, *, host: HostArgument, reason: ReasonOption = "", output: OutputOption = None) -> None:
    """Place VMs there again."""
    session = session_of(ctx, output)
    show_one(session, session.client.hosts.uncordon(host, reason=reason), _FIELDS)


@app.command()
def fence(
    ctx: typer.Context,
    *,
    host: HostArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: ReasonOption = "",
    wait: WaitOption = False,
    timeout: TimeoutOption = 300,
    output: OutputOption = None,
) -> None:
    """Turn a host's power off; its VMs run elsewhere then."""
    session = session_of(ctx, output)
    if not yes:
        typer.confirm(f"Turn off {host} and every VM that runs there?", abort=True, err=True)
    answer = session.client.hosts.fence(host, reason=reason)
    operation = answer.get("operation")
    if wait and operation:
        wait_for(session, operation, f"fence {host}", timeout=timeout)
        answer = session.client.hosts.get(host)
    show_one(session, answer, _FIELDS)


@app.command()
def remove(ctx: typer.Context, host: HostArgument) -> None:
    """Forget a host; refused while VMs are there."""
    session = session_of(ctx)
    session.client.hosts.remove(host)
    session.err.print(f"{host} is forgotten")


@app.command()
def domains(ctx: typer.Context, host: HostArgument, output: OutputOption = None) -> None:
    """List every domain that libvirt has there, those that minicloud did not make among them."""
    session = session_of(ctx, output)
    show_list(session, session.client.hosts.domains(host), _DOMAINS, nothing=f"no domains on {host}")
