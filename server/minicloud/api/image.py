"""Images: registration, and the files that hosts fetch by signed URL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import FileResponse, Response

from minicloud.services import image as images
from minicloud.services.view.image import ImageFileSource, ImageSpec

from .body import parse
from .call import Caller, Changer, answer, room_of
from .input import EmptyBody, ImageBody
from .output import Image, Page
from .parameter import Cursor, Limit


async def register(change: Changer) -> Response:
    """Register an image from files on the service's machine."""
    body = parse(ImageBody, change.body)
    files = tuple(ImageFileSource(file.role, Path(file.path), file.name, file.sha256) for file in body.files)
    spec = ImageSpec(**{**body.model_dump(exclude={"files"}), "files": files})
    result = await change.run(images.register, spec)
    created = result.created and not change.dry_run
    return answer(Image.model_validate(result.image), 201 if created else 200, replayed=result.replayed)


def list_(call: Caller, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """List images."""
    return answer(Page[Image].model_validate(images.list(call.context, call.actor, limit=limit, cursor=cursor)))


def get(call: Caller, image: str) -> Response:
    """Get an image."""
    return answer(Image.model_validate(images.get(call.context, call.actor, image)))


async def remove(change: Changer, image: str) -> Response:
    """Forget an image that no VM uses."""
    parse(EmptyBody, change.body)
    await change.run(images.remove, image)
    return Response(status_code=204)


def download(
    request: Request,
    image: str,
    file: str,
    expires: Annotated[int, Query(ge=0, le=2**53, description="Unix seconds.")],
    signature: Annotated[str, Query(max_length=256)],
) -> Response:
    """Fetch a file of an image. The signature in the address is the permission; ranges are served."""
    path = images.file(room_of(request).context, image, file, expires, signature)
    return FileResponse(path, media_type="application/octet-stream")
