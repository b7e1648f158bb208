"""Errors on standard error: what, where, and what would be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from minicloud.client import ApiError
from minicloud.client.errors import ClientError

from .session import Session


def show_failure(session: Session, error: ClientError) -> None:
    """Tell people about an error; standard output stays as it is, for the programs that read it."""
    err = session.err
    err.print(Text.assemble(("error: ", "bold red"), error.message))
    if isinstance(error, ApiError):
        _show_fields(session, error)
        _show_hosts(session, error.details.get("hosts"))
        _show_items(session, error.details.get("items"))
        _show_differences(session, error.details.get("differences"))
    if error.hint:
        err.print(Text.assemble(("try: ", "bold"), error.hint))
    request = f" (request {error.request_id})" if isinstance(error, ApiError) and error.request_id else ""
    err.print(Text(f"{error.code}{request}", style="dim"))


def _show_fields(session: Session, error: ApiError) -> None:
    rows = [(item.field, item.message, item.allowed) for item in error.errors]
    _show_table(session, ("field", "what is wrong", "what would be right"), rows)


def _show_hosts(session: Session, hosts: Any) -> None:
    if isinstance(hosts, Mapping):
        rows = [
            (str(host), str(reason.get("rule", "")), str(reason.get("message", "")))
            for host, reasons in hosts.items()
            for reason in reasons
        ]
        _show_table(session, ("host", "rule", "why not"), rows)


def _show_items(session: Session, items: Any) -> None:
    """The VMs of a batch of which nothing is made."""
    if isinstance(items, Sequence):
        _show_table(session, ("vm", "would go to", "why not"), [_item_row(item) for item in items])


def _item_row(item: Mapping[str, Any]) -> tuple[str, str, str]:
    error = item.get("error") or {}
    host = item.get("host") or (error.get("details") or {}).get("host")
    return str(item.get("name")), str(host or ""), str(error.get("message") or "it is there already")


def _show_differences(session: Session, differences: Any) -> None:
    if isinstance(differences, Mapping):
        rows = [
            (str(name), str(values.get("existing")), str(values.get("requested")))
            for name, values in differences.items()
        ]
        _show_table(session, ("field", "exists with", "asked for"), rows)


def _show_table(session: Session, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(*headings, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    session.err.print(table)
