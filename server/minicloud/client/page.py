"""Lists come by page; this walks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .transport import Transport

PAGE = 200


def walk(
    transport: Transport, path: str, params: Mapping[str, Any] | None = None, *, most: int | None = None
) -> Iterator[Any]:
    """Every item of a list, page after page.

    :param params: filters; those that are ``None`` are left out.
    :param most: how many items at most; ``None`` for all.
    """
    left, cursor = most, None
    while left is None or left > 0:
        limit = PAGE if left is None else min(PAGE, left)
        page = transport.json("GET", path, params={**(params or {}), "limit": limit, "cursor": cursor})
        items = page["items"]
        yield from items
        left = None if left is None else left - len(items)
        cursor = page.get("next")
        if not cursor or not items:
            return
