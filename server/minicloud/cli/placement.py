"""Why a VM is where it is, or would be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from .render import Column, plain, show_list
from .session import Session


def show_placement(session: Session, placement: Mapping[str, Any]) -> None:
    """Show each host with its score and the score's parts, or with what refused it; the chosen one first."""
    show_list(session, rows_of(placement), _COLUMNS, nothing="no host was looked at")


def rows_of(placement: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A placement as one row a host: ``host verdict score why``."""
    return [*_accepted(placement), *_refused(placement)]


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
