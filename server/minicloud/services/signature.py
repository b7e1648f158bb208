"""Signed URLs: a host may fetch an image's file for a while, with nothing but the URL."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from minicloud_core.model.errors import ForbiddenError

VALID: Final = timedelta(hours=2)


def sign_path(key: bytes, path: str, expires: int) -> str:
    """The signature of a path until a Unix time."""
    return hmac.new(key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


def file_path(image: str, file: str) -> str:
    """Where the API serves an image's file."""
    return f"/v1/images/{quote(image, safe='')}/files/{quote(file, safe='')}"


def signed_url(base: str, key: bytes, image: str, file: str, now: datetime) -> str:
    """The whole URL of an image's file, good for two hours from ``now``."""
    path = file_path(image, file)
    expires = int((now + VALID).timestamp())
    return f"{base.rstrip('/')}{path}?expires={expires}&signature={sign_path(key, path, expires)}"


def check(key: bytes, image: str, file: str, *, expires: int, signature: str, now: datetime) -> None:
    """:raises ForbiddenError: when the signature is not ours, or its time is over."""
    expected = sign_path(key, file_path(image, file), expires)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise ForbiddenError("The URL's signature is not valid", hint="use the URL of the order as it stands")
    if expires < now.timestamp():
        raise ForbiddenError("The URL's time is over", hint="a new try of the operation carries a new URL")
