"""Answers on the screen: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from .session import Session

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Any], str | Text]]

_STYLES: Final[dict[str, str]] = {
    "running": "green",
    "ready": "green",
    "succeeded": "green",
    "stopped": "dim",
    "paused": "yellow",
    "waiting": "yellow",
    "cancelled": "yellow",
    "suspect": "yellow",
    "unknown": "yellow",
    "error": "bold red",
    "failed": "bold red",
    "lost": "bold red",
    "down": "bold red",
}


def show_list(session: Session, items: Iterable[Row], columns: Sequence[Column], *, nothing: str) -> None:
    """Show many of a kind.

    :param columns: heading and what to show under it, for each item.
    :param nothing: what to say, to people only, when there are none.
    """
    rows = list(items)
    if session.json:
        print_json(rows)
        return
    if not rows and session.out.is_terminal:
        session.err.print(nothing)
        return
    table = Table(
        box=box.SIMPLE_HEAD if session.out.is_terminal else None, pad_edge=False, header_style="bold", show_edge=False
    )
    for heading, _show in columns:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_text(show(row)) for _heading, show in columns))
    _print(session, table)


def show_one(session: Session, item: Row, fields: Sequence[Column]) -> None:
    """Show one thing, field under field; those without a value are left out."""
    if session.json:
        print_json(item)
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for heading, show in fields:
        value = _text(show(item))
        if value.plain:
            grid.add_row(heading, value)
    _print(session, grid)


def print_json(value: Any) -> None:
    """JSON on standard output, unfolded and uncoloured."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def field_of(key: str) -> Callable[[Row], str]:
    """Shows one member of an item as text; nothing when it is missing or null."""
    return lambda item: plain(item.get(key))


def state_of(key: str) -> Callable[[Row], Text]:
    """Shows a state in its colour."""
    return lambda item: Text(plain(item.get(key)), style=_STYLES.get(str(item.get(key)), ""))


def plain(value: Any) -> str:
    """A value as one line of text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(plain(item) for item in value)
    return str(value)


def mib(value: int | None) -> str:
    """MiB the way people read them."""
    if value is None:
        return ""
    return f"{value / 1024:.4g} GiB" if value >= 1024 else f"{value} MiB"


def size(value: int | None) -> str:
    """Bytes the way people read them."""
    return "" if value is None else mib(value // 1024**2)


def age_of(key: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Callable[[Row], str]:
    """Shows how long ago a time in RFC 3339 was: ``45s``, ``12m``, ``3h``, ``9d``."""

    def show(item: Row) -> str:
        moment = parse_time(item.get(key))
        return "" if moment is None else duration((now() - moment).total_seconds())

    return show


def parse_time(value: Any) -> datetime | None:
    """A time in RFC 3339; None for anything else. One without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def duration(seconds: float) -> str:
    """Seconds in the unit that people would use."""
    whole = max(0, int(seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= 2 * length:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def _print(session: Session, table: Table) -> None:
    """A table; a program is spared the blanks that square its lines off."""
    if session.out.is_terminal:
        session.out.print(table)
        return
    with session.out.capture() as captured:
        session.out.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _text(value: str | Text) -> Text:
    """Text as it is: names and messages are data, so no markup is read out of them."""
    return value if isinstance(value, Text) else Text(value)
