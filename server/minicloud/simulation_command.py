"""What ``minicloud simulate`` does, in a terminal's terms: files in, a report and exit codes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer
from minicloud_core.model.errors import InputError, MinicloudError

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


def simulate(session: Session, fleet: Path, requests: Path, policy: str, out: Path | None) -> None:
    """Play a trace on a fleet and show what came of it.

    :param policy: a shipped policy's name, or a policy file.
    :param out: where each decision goes, a line of JSON each, as soon as it is made; None for nowhere.
    """
    with _refusals_told():
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


@contextmanager
def _refusals_told() -> Iterator[None]:
    """What stands in the way, in words and an exit code instead of a stack trace."""
    try:
        yield
    except RefusalError as error:
        _end(f"{error.message}\n  {error.hint}", error.exit_code, error)
    except InputError as error:
        problems = (
            f"{problem.field}: {problem.message}" + (f" (right: {problem.allowed})" if problem.allowed else "")
            for problem in error.problems
        )
        _end("\n  ".join(problems), ExitCode.INPUT, error)
    except MinicloudError as error:
        _end(error.message + (f"\n  {error.hint}" if error.hint else ""), ExitCode.UNEXPECTED, error)
    except OSError as error:
        _end(f"{error.filename or ''}: {error.strerror}", ExitCode.UNEXPECTED, error)


def _end(text: str, code: int, cause: Exception) -> None:
    typer.echo(f"minicloud: {text}", err=True)
    raise typer.Exit(code) from cause


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
    return f"{mapping['deletes']}" + (f", and {refused} of VMs that had found no host" if refused else "")


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
