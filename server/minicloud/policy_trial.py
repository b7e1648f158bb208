"""What ``minicloud policy test`` does: the service's record and its fleet in, what would have differed out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.policy import POLICIES, Policy

from .cli.render import Column, print_json, show_list, show_one
from .cli.session import Session
from .fleet_command import fleet_document
from .simulation.comparison import Comparison
from .simulation.record import read_record
from .simulation.retrial import Bench, retry


def try_policy(session: Session, policy: Policy, *, against: Policy | None, last: int | None) -> None:
    """Make the service's decisions again under another policy, and show what would have differed.

    :param against: one that may have decided, beside those that ship.
    :param last: how many decisions, the latest ones; None for all.
    """
    comparison = compare(session, policy, against=against, last=last)
    if session.json:
        print_json(comparison.to_mapping())
        return
    mapping = comparison.to_mapping()
    show_one(session, mapping, _SUMMARY)
    if mapping["differences"]:
        session.out.print()
        show_list(session, mapping["differences"], _DIFFERENCES, nothing="")


def compare(session: Session, policy: Policy, *, against: Policy | None, last: int | None) -> Comparison:
    """The same, as figures."""
    records = [read_record(row) for row in session.client.placements.list()]
    recorded = {record.vm for record in records}
    document = fleet_document(session)
    unrecorded = [vm for vm in document["vms"] if vm["id"] not in recorded]
    now = time.time()
    fleet = read_fleet(document["hosts"], unrecorded, at=now, policy=policy, ids=True)
    known = {one.version: one for one in (*POLICIES.values(), *([] if against is None else [against]))}
    comparison = Comparison(policy)
    comparison.count(retry(fleet, records[::-1], Bench(policy, known, now), last=last))
    return comparison


def _by_policy(mapping: Mapping[str, Any]) -> str:
    if not mapping["differences"]:
        return ""
    strangers = sum(stranger["decisions"] for stranger in mapping["strangers"])
    unknown = f"; {strangers} were made by policies that are not at hand" if strangers else ""
    return f"{mapping['by_policy']} of those that differ{unknown}"


def _strangers(mapping: Mapping[str, Any]) -> str:
    named = (f"{one['policy']} {one['policy_version'] or '(no version)'}" for one in mapping["strangers"])
    return ", ".join(named) + " (--against FILE hands one)" if mapping["strangers"] else ""


def _why(difference: Mapping[str, Any]) -> str:
    if difference["obstacles"]:
        return "; ".join(f"{one['rule']} refuses {one['hosts']}: {one['message']}" for one in difference["obstacles"])
    if difference["by_policy"] is None:
        return "the policy that decided is not at hand"
    if difference["by_policy"]:
        return f"score {difference['score']:.3f}"
    return f"hosts have changed: the policy that decided would now take {difference['again'] or 'none'}"


_SUMMARY: Final[list[Column]] = [
    ("policy", lambda mapping: f"{mapping['policy']}, version {mapping['policy_version']}"),
    ("decisions", lambda mapping: str(mapping["decisions"])),
    ("the same", lambda mapping: str(mapping["same"])),
    ("another host", lambda mapping: str(mapping["elsewhere"])),
    ("refused", lambda mapping: str(mapping["refused"])),
    ("placed now", lambda mapping: str(mapping["accepted"])),
    ("by the policy", _by_policy),
    ("not at hand", _strangers),
]
_DIFFERENCES: Final[list[Column]] = [
    ("AT", lambda row: f"{datetime.fromtimestamp(row['at'], UTC):%Y-%m-%d %H:%M:%S}"),
    ("VM", lambda row: row["name"]),
    ("PROJECT", lambda row: row["project"]),
    ("WAS", lambda row: row["was"] or "nowhere"),
    ("WOULD BE", lambda row: row["host"] or "nowhere"),
    ("WHY", _why),
]
