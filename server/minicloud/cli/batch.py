"""What came of many VMs that were asked for at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import typer
from rich.text import Text

from minicloud.client.batch import Batch
from minicloud.client.errors import ClientError

from .exit_code import exit_code_for
from .progress import wait_for
from .render import Column, field_of, print_json, show_list
from .session import Session


def finish_batch(session: Session, batch: Batch, *, dry_run: bool, timeout: float | None) -> None:
    """Show what came of each VM, or what would; when asked to wait, as it is when all that is new runs.

    :param timeout: seconds to wait for all of it; None not to wait.
    :raises ClientError: what the first that failed ended with, once the others have ended too.
    :raises typer.Exit: with what kept one from being made, when one is refused.
    """
    failed = [] if dry_run or timeout is None else _wait(session, batch, timeout)
    _show(session, batch, dry_run)
    if failed:
        raise failed[0]
    problems = _problems(batch)
    if problems:
        raise typer.Exit(exit_code_for(str(problems[0]["code"])))


def _show(session: Session, batch: Batch, dry_run: bool) -> None:
    if session.json:
        print_json(batch)
    else:
        show_list(session, (_row(item, dry_run) for item in batch["items"]), _COLUMNS, nothing="")
        would = "would be " if dry_run else ""
        session.err.print(f"{batch['created']} {would}made, {batch['refused']} {would}refused")


def _wait(session: Session, batch: Batch, timeout: float) -> list[ClientError]:
    """Wait for what is new; each ``vm`` is then as it is by then.

    :returns: what went wrong.
    """
    deadline, failed = time.monotonic() + timeout, []
    for item in batch["items"]:
        vm = item.get("vm")
        operation = None if vm is None or not vm.get("changed") else vm.get("operation")
        if vm is None or operation is None:
            continue
        try:
            wait_for(session, operation, f"create {item['name']}", timeout=max(0.0, deadline - time.monotonic()))
        except ClientError as error:
            failed.append(error)
        item["vm"] = {**session.client.vms.get(vm["id"]), "changed": True}
    return failed


def _problems(batch: Batch) -> list[dict[str, Any]]:
    """What is the matter; that some suffer for others comes last."""
    problems = [item["problem"] for item in batch["items"] if "problem" in item]
    return sorted(problems, key=lambda problem: str(problem["code"]).startswith("minicloud.batch"))


def _row(item: Mapping[str, Any], dry_run: bool) -> dict[str, Any]:
    problem, vm = item.get("problem"), item.get("vm") or {}
    if problem is not None:
        return {"name": item["name"], "result": "refused", "why": problem["detail"]}
    made = "would be made" if dry_run else str(vm.get("status"))
    return {
        "name": item["name"],
        "id": vm.get("id"),
        "result": made if vm.get("changed") else "is there",
        "host": vm.get("host"),
        "operation": vm.get("operation"),
        "why": _score(vm.get("placement") or {}),
    }


def _score(placement: Mapping[str, Any]) -> str:
    """How good its host is, where that is told."""
    chosen = [one for one in placement.get("accepted") or () if one["host"] == placement.get("host")]
    return "".join(f"score {one['score']:.3f}; {placement['hosts']['accepted']} would do" for one in chosen)


def _result(row: Mapping[str, Any]) -> Text:
    return Text(row["result"], style="red" if row["result"] == "refused" else "green")


_COLUMNS: Final[list[Column]] = [
    ("NAME", field_of("name")),
    ("ID", field_of("id")),
    ("RESULT", _result),
    ("HOST", field_of("host")),
    ("OPERATION", field_of("operation")),
    ("WHY", field_of("why")),
]
