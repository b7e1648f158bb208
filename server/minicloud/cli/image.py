"""`minicloud image`: what VMs boot from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from .render import Column, field_of, mib, show_list, show_one, size
from .session import OutputOption, session_of

app = typer.Typer(no_args_is_help=True, help="What VMs boot from.")

ImageArgument = Annotated[str, typer.Argument(metavar="IMAGE", help="Its name.")]


def _files(image: Any) -> str:
    return "\n".join(
        f"{file['role']} {file['name']} {size(file['size'])} sha256:{file['sha256']}" for file in image["files"]
    )


_SUMMARY: Final[list[Column]] = [
    ("NAME", field_of("name")),
    ("KIND", field_of("kind")),
    ("ARCHITECTURE", field_of("architecture")),
    ("SIZE", lambda image: size(sum(file.get("size") or 0 for file in image.get("files") or ()))),
]
_FIELDS: Final[list[Column]] = [
    ("name", field_of("name")),
    ("kind", field_of("kind")),
    ("architecture", field_of("architecture")),
    ("format", field_of("format")),
    ("cmdline", field_of("cmdline")),
    ("least ram", lambda image: mib(image.get("min_ram_mib")) if image.get("min_ram_mib") else ""),
    ("least disk", lambda image: size(image.get("min_disk")) if image.get("min_disk") else ""),
    ("files", _files),
]


@app.command("list")
def list_images(ctx: typer.Context, output: OutputOption = None) -> None:
    """List images."""
    session = session_of(ctx, output)
    show_list(
        session, session.client.images.list(), _SUMMARY, nothing="no images; add one with: minicloud image register"
    )


@app.command()
def register(
    ctx: typer.Context,
    *,
    image: ImageArgument,
    kernel: Annotated[Path | None, typer.Option(help="A kernel, for direct boot.", show_default=False)] = None,
    initrd: Annotated[Path | None, typer.Option(help="Its initial ramdisk.", show_default=False)] = None,
    disk: Annotated[Path | None, typer.Option(help="A disk, qcow2 or raw.", show_default=False)] = None,
    cmdline: Annotated[str | None, typer.Option(help="The kernel's command line.", show_default=False)] = None,
    architecture: Annotated[str, typer.Option(help="What it runs on.")] = "x86_64",
    disk_format: Annotated[
        str | None, typer.Option("--format", help="The disk's format, qcow2 or raw.", show_default=False)
    ] = None,
    min_ram: Annotated[int | None, typer.Option(min=0, help="MiB that it needs.", show_default=False)] = None,
    output: OutputOption = None,
) -> None:
    """Register files on the service's machine as an image: a kernel, with or without a ramdisk, or a disk."""
    session = session_of(ctx, output)
    files = {"kernel": kernel, "initrd": initrd, "disk": disk}
    spec: dict[str, Any] = {
        "name": image,
        "kind": "disk" if disk is not None else "kernel",
        "architecture": architecture,
        "format": disk_format,
        "cmdline": cmdline,
        "min_ram_mib": min_ram,
        "files": [{"role": role, "path": str(path.absolute())} for role, path in files.items() if path is not None],
    }
    if not spec["files"]:
        raise typer.BadParameter("files make an image: --kernel (and --initrd), or --disk")
    registered = session.client.images.register({key: value for key, value in spec.items() if value is not None})
    show_one(session, registered, _FIELDS)


@app.command()
def show(ctx: typer.Context, image: ImageArgument, output: OutputOption = None) -> None:
    """Show one image."""
    session = session_of(ctx, output)
    show_one(session, session.client.images.get(image), _FIELDS)


@app.command()
def remove(ctx: typer.Context, image: ImageArgument) -> None:
    """Forget an image; refused while a VM uses it."""
    session = session_of(ctx)
    session.client.images.remove(image)
    session.err.print(f"{image} is forgotten")
