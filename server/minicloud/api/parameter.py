"""Parameters that several routes take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Path, Query

Limit = Annotated[int, Query(ge=1, le=500, description="Items on a page.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]
Position = Annotated[int, Query(alias="cursor", ge=0, le=2**53, description="`next` of the page before.")]
ProjectName = Annotated[str | None, Query(max_length=63, description="The project; the token's own if it has one.")]
NameFilter = Annotated[str | None, Query(max_length=128)]
VmRef = Annotated[str, Path(description="The VM's id or name.", examples=["web01"])]
HostRef = Annotated[str, Path(description="The host's name.", examples=["node1"])]
PlacementRef = Annotated[int, Path(ge=1, le=2**53, description="The decision's number, its `id` in the list.")]
ReservationRef = Annotated[str, Path(description="The reservation's id.")]
OperationRef = Annotated[str, Path(description="The operation's id.")]

Item = TypeVar("Item")


def cut(items: Sequence[Item], position: int, limit: int) -> tuple[Sequence[Item], str | None]:
    """A page of a list that comes whole, and the position of the next."""
    end = position + limit
    return items[position:end], str(end) if end < len(items) else None
