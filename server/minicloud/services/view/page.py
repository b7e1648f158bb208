"""A page of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Part of a list. ``next`` is the cursor of the page that follows; None on the last one."""

    items: tuple[Item, ...]
    next: str | None = None
