"""`minicloud placement`: what the scheduler decided, and why a VM is where it is, or would be, or is nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from .render import Column, age_of, field_of, mib, plain, print_json, show_list, show_one
from .session import OutputOption, Session, session_of

app = typer.Typer(no_args_is_help=True, help="What the scheduler decided.")


@app.command("list")
def list_placements(
    ctx: typer.Context,
    *,
    name: Annotated[str | None, typer.Option(help="Only about VMs of this name.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Only for this host.", show_default=False)] = None,
    refused: Annotated[
        bool | None,
        typer.Option(
            "--refused/--placed", help="Only those that found no host, or only those that did.", show_default=False
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default=False)] = None,
    output: OutputOption = None,
) -> None:
    """List decisions, the newest first, also those about VMs that were deleted, or never made for want of a host."""
    session = session_of(ctx, output)
    placements = session.client.placements.list(name=name, host=host, refused=refused, most=limit)
    show_list(session, placements, _SUMMARY, nothing="nothing was decided yet")


@app.command()
def show(
    ctx: typer.Context,
    *,
    placement: Annotated[int, typer.Argument(help="Its id, as the list has it.")],
    output: OutputOption = None,
) -> None:
    """Show one decision: who asked, and each host with its score, or with what refused it."""
    session = session_of(ctx, output)
    found = session.client.placements.get(placement)
    if session.json:
        print_json(found)
        return
    show_one(session, found, _FIELDS)
    session.out.print()
    show_placement(session, found["decision"])


def _asked(placement: Mapping[str, Any]) -> str:
    request = placement["request"]
    return f"{plain(request.get('cpu'))} CPU, {mib(request.get('ram_mib'))}"


def _where(placement: Mapping[str, Any]) -> Text:
    return Text(placement["host"]) if placement["host"] else Text("nowhere", style="red")


_SUMMARY: Final[list[Column]] = [
    ("ID", field_of("id")),
    ("NAME", field_of("name")),
    ("VM", field_of("vm")),
    ("PROJECT", field_of("project")),
    ("ASKED", _asked),
    ("HOST", _where),
    ("POLICY", field_of("policy")),
    ("AGE", age_of("at")),
]
_FIELDS: Final[list[Column]] = [
    ("id", field_of("id")),
    ("name", field_of("name")),
    ("vm", field_of("vm")),
    ("project", field_of("project")),
    ("operation", field_of("operation")),
    ("asked", _asked),
    ("host", _where),
    ("at", field_of("at")),
    ("by", field_of("actor")),
    ("request", field_of("request_id")),
]


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
