# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Fetching one file and proving that it is the right one."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from ..model.errors import ImageError
from ..model.image import ImageFile

SCHEMES: Final = ("http", "https", "file")
_CHUNK: Final = 1024 * 1024


def download(file: ImageFile, target: Path, *, timeout: float) -> None:
    """Fetch a file and keep it only when size and SHA-256 are what they should be.

    :param target: where it goes; nothing is left there on failure.
    :param timeout: seconds without a byte after which the source counts as dead.
    :raises ImageError: naming the file, what was expected and what came.
    """
    where = without_query(file.url)
    if not file.url:
        raise ImageError(
            f"{file.name} is not in this host's image cache, and nothing says where to fetch it",
            hint="give the file a url",
            details={"file": file.name},
        )
    if urlsplit(file.url).scheme not in SCHEMES:
        raise ImageError(
            f"{file.name} cannot be fetched from {where}",
            hint="a url starting with " + ", ".join(f"{scheme}://" for scheme in SCHEMES),
            details={"file": file.name},
        )
    try:
        with _opener().open(file.url, timeout=timeout) as source:
            size, digest = _copy(source, target, limit=file.size)
        _verify(file, where, size, digest)
    except (OSError, ValueError) as error:
        target.unlink(missing_ok=True)
        reason = f"HTTP {error.code} {error.reason}" if isinstance(error, urllib.error.HTTPError) else str(error)
        raise ImageError(
            f"{file.name} could not be fetched from {where}: {reason}",
            hint="is the source up, and the URL still valid?",
            details={"file": file.name},
        ) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def without_query(url: str) -> str:
    """A URL fit for messages: signatures travel in the query."""
    return url.partition("?")[0]


def _opener() -> urllib.request.OpenerDirector:
    """Speaks what :data:`SCHEMES` names and nothing else, through the proxy that the environment names."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.FileHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _copy(source: IO[bytes], target: Path, *, limit: int) -> tuple[int, str]:
    """Copy to disk, down to the platters. Stops soon after ``limit`` bytes, if that is not 0: it is too much anyway."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            sink.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if limit and size > limit:
                break
        sink.flush()
        os.fsync(sink.fileno())
    return size, digest.hexdigest()


def _verify(file: ImageFile, where: str, size: int, digest: str) -> None:
    details = {"file": file.name, "url": where}
    if file.size and size != file.size:
        at_least = "at least " if size > file.size else ""
        raise ImageError(
            f"{file.name} from {where} should have {file.size} bytes, but {at_least}{size} came",
            hint="the file has changed since it was registered, or the transfer broke off",
            details={**details, "expected": file.size, "got": size},
        )
    if digest != file.sha256:
        raise ImageError(
            f"{file.name} from {where} should have SHA-256 {file.sha256}, but has {digest}",
            hint="the file has changed since it was registered",
            details={**details, "expected": file.sha256, "got": digest},
        )
