"""Cursors and limits of lists, read with one rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from minicloud_core.model.errors import InputError, Problem

from .view.page import Page

LIMIT_MAX = 500

Row = TypeVar("Row")
Item = TypeVar("Item")


def check_limit(limit: int) -> int:
    """:raises InputError: unless the limit is from 1 to 500."""
    if not 1 <= limit <= LIMIT_MAX:
        raise InputError([Problem("limit", f"{limit} is not a page's size", f"a whole number from 1 to {LIMIT_MAX}")])
    return limit


def read_number(cursor: str | None) -> int | None:
    """Read a cursor that is a number.

    :raises InputError: when it is none of ours.
    """
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InputError([Problem("cursor", f"{cursor!r} is not a cursor", "the `next` of the page before")])
    return int(cursor)


def cut(rows: Sequence[Row], limit: int, show: Callable[[Row], Item], key: Callable[[Row], object]) -> Page[Item]:
    """Make a page from rows, of which one more than ``limit`` was asked for."""
    shown = rows[:limit]
    return Page(tuple(show(row) for row in shown), str(key(shown[-1])) if len(rows) > limit else None)
