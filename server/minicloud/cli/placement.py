"""Why a VM is where it is, or would be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from .render import Column, plain, show_list
from .session import Session


def show_placement(session: Session, placement: Mapping[str, Any]) -> None:
    """Show each host with its score and the score's parts, or with what refused it; the chosen one first.

    Below, the hosts that are counted only, who would have to leave, what would make it fit, and who decided.
    """
    show_list(session, rows_of(placement), _COLUMNS, nothing="no host was looked at")
    if not session.json:
        for note in notes_of(placement):
            session.out.print(Text(note))


def rows_of(placement: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A placement as one row a host: ``host verdict score why``."""
    return [*_accepted(placement), *_refused(placement)]


def notes_of(placement: Mapping[str, Any]) -> list[str]:
    """What a placement says beside its hosts, one line for each thing."""
    return [*_left_out(placement), *_preempted(placement), *_remedies(placement), *_policy(placement)]


def _left_out(placement: Mapping[str, Any]) -> Iterator[str]:
    """Hosts that are counted and not told one by one. Old placements tell all."""
    counts = placement.get("hosts") or {}
    told = {verdict: len(placement.get(verdict) or ()) for verdict in ("accepted", "refused")}
    if counts.get("accepted", 0) > told["accepted"]:
        yield f"and {counts['accepted'] - told['accepted']:,} more that would do"
    if counts.get("refused", 0) > told["refused"]:
        rules = (f"{one['rule']} {one['hosts']:,}" for one in placement.get("obstacles") or ())
        yield f"and {counts['refused'] - told['refused']:,} more that refused; in all by rule: {', '.join(rules)}"


def _preempted(placement: Mapping[str, Any]) -> Iterator[str]:
    victims = [f"{one['vm']} (priority {one['priority']})" for one in placement.get("preempts") or ()]
    if victims:
        yield f"takes the place of {', '.join(victims)}"


def _remedies(placement: Mapping[str, Any]) -> Iterator[str]:
    for remedy in placement.get("remedies") or ():
        yield f"it would fit: {remedy['text']} (on {remedy['host']})"


def _policy(placement: Mapping[str, Any]) -> Iterator[str]:
    if placement.get("policy"):
        version = placement.get("policy_version")
        yield f"policy {placement['policy']}" + (f", version {version}" if version else "")


def _accepted(placement: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for candidate in placement.get("accepted") or ():
        parts = (f"{part['scorer']} {part['value']:.2f} x {part['weight']:g}" for part in candidate.get("parts") or ())
        chosen = candidate["host"] == placement.get("host")
        yield {
            "host": candidate["host"],
            "verdict": "chosen" if chosen else "would do",
            "score": f"{candidate['score']:.3f}",
            "why": ", ".join(parts),
        }


def _refused(placement: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for refusal in placement.get("refused") or ():
        yield {
            "host": refusal["host"],
            "verdict": "refused",
            "score": "",
            "why": "; ".join(plain(reason.get("message")) for reason in refusal.get("reasons") or ()),
        }


_VERDICTS = {"chosen": "bold green", "would do": "green", "refused": "red"}
_COLUMNS: list[Column] = [
    ("HOST", lambda row: row["host"]),
    ("VERDICT", lambda row: Text(row["verdict"], style=_VERDICTS[row["verdict"]])),
    ("SCORE", lambda row: row["score"]),
    ("WHY", lambda row: row["why"]),
]
