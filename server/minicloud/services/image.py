"""Images: what VMs boot from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from minicloud_core.model.errors import ConflictError, InputError, NotFoundError, Problem
from minicloud_core.model.image import Image
from minicloud_core.model.name import check_name

from minicloud.store import image as images
from minicloud.store import vm as vms
from minicloud.store.image import ImageRow

from . import audit, recall, signature
from .authorisation import require_admin
from .context import Actor, Context, Idempotency
from .cursor import check_limit, cut
from .image_store import ImageStore, virtual_size
from .view.image import ImageFileView, ImageRegistration, ImageSpec, ImageView
from .view.page import Page

__all__ = ["ImageRegistration", "ImageSpec", "ImageView", "file", "get", "list", "register", "remove"]


def register(
    ctx: Context, actor: Actor, spec: ImageSpec, *, dry_run: bool = False, idempotency: Idempotency | None = None
) -> ImageRegistration:
    """Take an image's files in, and let VMs boot from it. The same image again is no change.

    :raises ForbiddenError: unless the actor administers.
    :raises InputError: naming what is wrong with the fields or the files.
    :raises ImageError: when a disk's file is not of its format.
    :raises ConflictError: when there is another image of that name.
    """
    require_admin(actor)
    _check(spec)
    store = ImageStore(ctx.settings.images_dir)
    with store.locked():
        try:
            # Outside any transaction: copying takes as long as it takes.
            columns = _take_in(store, spec)
            return _write(ctx, actor, spec.name, columns, dry_run=dry_run, idempotency=idempotency)
        finally:
            _prune(ctx, store)


def get(ctx: Context, actor: Actor, name: str) -> ImageView:
    """:raises NotFoundError: when there is no image of that name."""
    with ctx.read() as session:
        return _show(_need(images.find(session, name), name))


def list(ctx: Context, actor: Actor, *, limit: int = 50, cursor: str | None = None) -> Page[ImageView]:
    """Images by name; every actor may use them."""
    check_limit(limit)
    with ctx.read() as session:
        rows = images.page(session, after=cursor, limit=limit + 1)
        return cut(rows, limit, _show, lambda row: row.name)


def remove(
    ctx: Context, actor: Actor, name: str, *, dry_run: bool = False, idempotency: Idempotency | None = None
) -> None:
    """Forget an image, with its files.

    :raises ForbiddenError: unless the actor administers.
    :raises NotFoundError: when there is no image of that name.
    :raises ConflictError: while VMs use it.
    """
    require_admin(actor)
    store = ImageStore(ctx.settings.images_dir)
    with store.locked():
        with ctx.write() as session:
            if recall.look_up(ctx, session, actor, idempotency) is not None:
                return
            row = _need(images.lock(session, name), name)
            users = vms.of_image(session, name)
            if users:
                raise ConflictError(
                    f"Image {name} cannot be removed: {', '.join(users)} use it",
                    hint="delete them first",
                    details={"vms": [*users]},
                )
            if dry_run:
                return
            session.delete(row)
            audit.note(ctx, session, actor, "image.remove", name)
            recall.remember(ctx, session, actor, idempotency, {"image": name})
        _prune(ctx, store)


def file(ctx: Context, image: str, name: str, expires: int, signed: str) -> Path:
    """Where a file lies that a signed URL asks for.

    :param expires: the URL's end, in Unix seconds; ``signed`` its signature.
    :raises ForbiddenError: when the signature is not ours, or its time is over.
    :raises NotFoundError: when there is no such file (any more).
    """
    signature.check(ctx.signing_key, image, name, expires=expires, signature=signed, now=ctx.clock.now())
    with ctx.read() as session:
        row = _need(images.find(session, image), image)
    found = next((entry for entry in row.files if entry["name"] == name), None)
    path = None if found is None else ImageStore(ctx.settings.images_dir).path(found["sha256"])
    if path is None or not path.is_file():
        raise NotFoundError(f"Image {image} has no file {name}", hint="register the image again")
    return path


def _check(spec: ImageSpec) -> None:
    problems = check_name(spec.name)
    names = [source.name or source.path.name for source in spec.files]
    if len(names) != len({*names}):
        problems.append(Problem("files", "two files have one name", "a name for each"))
    for field in ("min_ram_mib", "min_disk"):
        if getattr(spec, field) < 0:
            problems.append(Problem(field, f"{getattr(spec, field)} is not an amount", "0 or more"))
    for index, source in enumerate(spec.files):
        if not source.path.is_absolute():
            problems.append(
                Problem(f"files.{index}.path", f"{source.path} is not absolute", "a path that starts with /")
            )
    if problems:
        raise InputError(problems)
    # The model's own rules: kinds, roles, names, formats. Digests are known once the files are read.
    try:
        Image.from_mapping(_mapping(spec, ["0" * 64] * len(names), [0] * len(names)), field="image")
    except InputError as error:
        raise InputError([replace(one, field=one.field.removeprefix("image.")) for one in error.problems]) from error


def _take_in(store: ImageStore, spec: ImageSpec) -> dict[str, Any]:
    taken = [
        store.take(source.path, sha256=source.sha256.lower(), field=f"files.{index}")
        for index, source in enumerate(spec.files)
    ]
    mapping = _mapping(spec, [digest for digest, _size in taken], [size for _digest, size in taken])
    if spec.kind == "disk":
        disk = next(entry for entry in mapping["files"] if entry["role"] == "disk")
        mapping["min_disk"] = max(spec.min_disk, virtual_size(store.path(disk["sha256"]), spec.format))
    return mapping


def _mapping(spec: ImageSpec, digests: Sequence[str], sizes: Sequence[int]) -> dict[str, Any]:
    content = asdict(spec)
    content["files"] = [
        {"role": source.role, "name": source.name or source.path.name, "sha256": digest, "size": size}
        for source, digest, size in zip(spec.files, digests, sizes, strict=True)
    ]
    return content


def _write(
    ctx: Context,
    actor: Actor,
    name: str,
    columns: Mapping[str, Any],
    *,
    dry_run: bool,
    idempotency: Idempotency | None,
) -> ImageRegistration:
    with ctx.write() as session:
        if recall.look_up(ctx, session, actor, idempotency) is not None:
            return ImageRegistration(_show(_need(images.find(session, name), name)), created=True, replayed=True)
        existing = images.lock(session, name)
        if existing is not None:
            differing = [key for key, value in columns.items() if getattr(existing, key) != value]
            if differing:
                raise ConflictError(
                    f"Image {name} exists with another {', '.join(differing)}",
                    hint="choose another name, or remove that image first",
                    details={"fields": differing},
                )
            return ImageRegistration(_show(existing), created=False)
        row = ImageRow(**columns, created_at=ctx.clock.now())
        if not dry_run:
            session.add(row)
            audit.note(ctx, session, actor, "image.register", name, files=columns["files"])
            recall.remember(ctx, session, actor, idempotency, {"image": name})
        return ImageRegistration(_show(row), created=True)


def _prune(ctx: Context, store: ImageStore) -> None:
    with ctx.read() as session:
        kept = {entry["sha256"] for row in images.everything(session) for entry in row.files}
    store.prune(kept)


def _need(row: ImageRow | None, name: str) -> ImageRow:
    if row is None:
        raise NotFoundError(f"There is no image {name}", hint="list them: GET /v1/images")
    return row


def _show(row: ImageRow) -> ImageView:
    return ImageView(
        name=row.name,
        kind=row.kind,
        architecture=row.architecture,
        cmdline=row.cmdline,
        format=row.format,
        min_ram_mib=row.min_ram_mib,
        min_disk=row.min_disk,
        files=tuple(ImageFileView(**entry) for entry in row.files),
        created_at=row.created_at,
    )
