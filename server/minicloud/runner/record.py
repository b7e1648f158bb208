"""What a run's directory remembers of its claims, for a service that starts after one that was killed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from minicloud.services.view.operation import Claim, Connection

from .directory import RunDirectory

_NAME = "claims.json"


def write_claims(directory: RunDirectory, claims: Iterable[Claim]) -> None:
    """Keep the claims beside the run.

    :raises OSError: when the disk refuses; the directory is gone then.
    """
    text = json.dumps([asdict(claim) for claim in claims], default=_encode)
    try:
        (directory.path / _NAME).write_text(text)
    except OSError:
        directory.remove()
        raise


def read_claims(directory: RunDirectory) -> list[Claim]:
    """The claims of a run; an empty list where its service died before it wrote them."""
    try:
        items = json.loads((directory.path / _NAME).read_text())
    except (OSError, ValueError):
        return []
    return [_claim(item) for item in items]


def _encode(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be kept")


def _claim(item: dict[str, Any]) -> Claim:
    return Claim(
        **{
            **item,
            "connection": Connection(**item["connection"]),
            "destination": None if item["destination"] is None else Connection(**item["destination"]),
            "lease_until": datetime.fromisoformat(item["lease_until"]),
        }
    )
