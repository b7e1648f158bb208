"""`minicloud project`: whose VMs are whose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from .render import Column, age_of, field_of, mib, show_list, show_one, size
from .session import OutputOption, session_of

app = typer.Typer(no_args_is_help=True, help="Whose VMs are whose; for administrators.")


def _share(key: str, show: Callable[[int], str]) -> Callable[[Any], str]:
    """Shows what a project uses of its quota."""

    def text(project: Any) -> str:
        quota = project["quota"][key]
        return f"{show(project['usage'][key])} of {'any' if quota is None else show(quota)}"

    return text


def _priority_max(project: Any) -> str:
    highest = project["quota"].get("priority_max")
    return "any" if highest is None else str(highest)


_COLUMNS: Final[list[Column]] = [
    ("NAME", field_of("name")),
    ("VMS", _share("vms", str)),
    ("CPU", _share("cpu", str)),
    ("RAM", _share("ram_mib", mib)),
    ("DISK", _share("disk_bytes", size)),
    ("AGE", age_of("created_at")),
]
_FIELDS: Final[list[Column]] = [
    ("name", field_of("name")),
    ("vms", _share("vms", str)),
    ("cpu", _share("cpu", str)),
    ("ram", _share("ram_mib", mib)),
    ("disk", _share("disk_bytes", size)),
    ("highest priority", _priority_max),
    ("created", field_of("created_at")),
]


@app.command()
def create(
    ctx: typer.Context,
    *,
    project: Annotated[str, typer.Argument(help="Its name.")],
    vms: Annotated[int | None, typer.Option(min=0, help="At most so many VMs.", show_default=False)] = None,
    cpu: Annotated[int | None, typer.Option(min=0, help="Virtual CPUs in all.", show_default=False)] = None,
    ram: Annotated[int | None, typer.Option(min=0, help="MiB of memory in all.", show_default=False)] = None,
    disk: Annotated[int | None, typer.Option(min=0, help="GiB of disks in all.", show_default=False)] = None,
    priority_max: Annotated[
        int | None, typer.Option(help="No VM may ask for a higher priority.", show_default=False)
    ] = None,
    output: OutputOption = None,
) -> None:
    """Make a project; where no quota is given there is no limit."""
    session = session_of(ctx, output)
    limits = {
        "vms": vms,
        "cpu": cpu,
        "ram_mib": ram,
        "disk_bytes": None if disk is None else disk * 1024**3,
        "priority_max": priority_max,
    }
    quota = {key: value for key, value in limits.items() if value is not None}
    show_one(session, session.client.projects.create(project, quota=quota), _FIELDS)


@app.command("list")
def list_projects(ctx: typer.Context, output: OutputOption = None) -> None:
    """List projects."""
    session = session_of(ctx, output)
    show_list(session, session.client.projects.list(), _COLUMNS, nothing="no projects")
