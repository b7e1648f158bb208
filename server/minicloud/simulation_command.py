"""What ``minicloud simulate`` does, in a terminal's terms: files in, a report and exit codes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from .cli.exit_code import ExitCode
from .cli.render import Column, print_json, show_list, show_one
from .cli.session import Session
from .policy_file import find_policy
from .refusal import RefusalError
from .simulation.fleet_file import load_fleet
from .simulation.replay import replay
from .simulation.report import Report
from .simulation.trace import read_trace
from .simulation.verdict import Verdict
from .terminal import refusals_told


def simulate(session: Session, fleet: Path, requests: Path, policy: str, out: Path | None) -> None:
    """Play a trace on a fleet and show what came of it.

    :param policy: a shipped policy's name, or a policy file.
    :param out: where each decision goes, a line of JSON each, as soon as it is made; None for nowhere.
    """
    with refusals_told():
        rules = find_policy(policy)
        hosts = load_fleet(fleet, rules)
        with _recorder(out, (fleet, requests)) as record:
            report = replay(hosts, read_trace(requests), rules, record)
    if session.json:
        print_json(report.to_mapping())
    else:
        _show(session, report)


@contextmanager
def _recorder(out: Path | None, inputs: tuple[Path, ...]) -> Iterator[Callable[[Verdict], None] | None]:
    if out is None:
        yield None
        return
    if any(out.exists() and out.samefile(path) for path in inputs):
        raise RefusalError(f"--out {out} is read as well", hint="write to another file", exit_code=ExitCode.INPUT)
    with out.open("w", encoding="utf-8") as file:

        def record(verdict: Verdict) -> None:
            file.write(json.dumps(verdict.to_mapping(), separators=(",", ":")) + "\n")

        yield record


def _show(session: Session, report: Report) -> None:
    mapping = report.to_mapping()
    show_one(session, mapping, _SUMMARY)
    for rows, columns in ((mapping["refused_by"], _REFUSED_BY), (mapping["utilisation"], _UTILISATION)):
        if rows:
            session.out.print()
            show_list(session, rows, columns, nothing="")


def _first_refusal(mapping: Any) -> str:
    first = mapping["first_refusal"]
    return "" if first is None else f"{first['id']} at {first['at']:g}, after {first['placed_before']} placed"


def _deletes(mapping: Any) -> str:
    refused = mapping["deletes_of_refused"]
    return f"{mapping['deletes']}" + (f", and {refused} of VMs that had no host" if refused else "")


def _fragmentation(mapping: Any) -> str:
    found = mapping["fragmentation"]
    if found is None:
        return ""
    mean = found["mean_request"]
    return (
        f"{found['cpu']:.1%} of free CPUs and {found['ram']:.1%} of free memory lie where"
        f" {mean['cpu']:g} CPUs with {mean['ram_mib']:g} MiB do not fit"
    )


def _speed(mapping: Any) -> str:
    speed = mapping["decisions_per_cpu_second"]
    return "" if speed is None else f"{speed} decisions per CPU-second"


_SUMMARY: Final[list[Column]] = [
    ("policy", lambda mapping: f"{mapping['policy']}, version {mapping['policy_version']}"),
    ("placed", lambda mapping: str(mapping["placed"])),
    ("refused", lambda mapping: str(mapping["refused"])),
    ("had to leave", lambda mapping: str(mapping["preempted"]) if mapping["preempted"] else ""),
    ("first refusal", _first_refusal),
    ("deleted", _deletes),
    ("fragmentation", _fragmentation),
    ("speed", _speed),
]
_REFUSED_BY: Final[list[Column]] = [
    ("REFUSED BY", lambda row: row["rule"]),
    ("REQUESTS", lambda row: str(row["requests"])),
    ("BY IT ALONE", lambda row: str(row["alone"])),
]
_UTILISATION: Final[list[Column]] = [
    ("AT", lambda row: f"{row['at']:.10g}"),
    ("CPU PROMISED", lambda row: f"{row['cpu']:.1%}"),
    ("RAM PROMISED", lambda row: f"{row['ram']:.1%}"),
]
