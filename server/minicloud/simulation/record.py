"""A decision that a service has on record: what had been asked for, what came of it, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import datetime
from typing import Any

from minicloud_core.model.errors import InputError, Problem
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread


@dataclass(frozen=True)
class Record:
    """One decision.

    :param vm: the VM's id; None where no host would do.
    :param host: where it was placed; None likewise.
    :param at: when, in Unix seconds.
    :param ended_at: when the VM was deleted; None while it is not.
    :param policy: the policy that decided, and its ``version``, which old decisions have not.
    :param preempts: the VMs that made room for it.
    """

    vm: str | None
    name: str
    project: str
    host: str | None
    at: float
    ended_at: float | None
    policy: str
    version: str | None
    request: Request
    preempts: tuple[str, ...] = ()


def read_record(row: Mapping[str, Any]) -> Record:
    """A decision as the API shows it.

    :raises InputError: when it asks for something that this minicloud does not know.
    """
    return Record(
        vm=row["vm"],
        name=row["name"],
        project=row["project"],
        host=row["host"],
        at=_seconds(row["at"]),
        ended_at=None if row["ended_at"] is None else _seconds(row["ended_at"]),
        policy=row["policy"],
        version=row["policy_version"],
        request=read_request({"project": row["project"], "vm": row["vm"], **row["request"]}),
        preempts=tuple(victim["vm"] for victim in row.get("preempts") or ()),
    )


def read_request(mapping: Mapping[str, Any]) -> Request:
    """The inverse of ``decision.request_mapping``.

    :raises InputError: for a field that this minicloud does not know.
    """
    known = {one.name: one for one in fields(Request)}
    unknown = [
        Problem(f"request.{name}", "not a field of a request", "a newer minicloud")
        for name in mapping
        if name not in known
    ]
    if unknown:
        raise InputError(unknown)
    return Request(**{name: _value(known[name], value) for name, value in mapping.items()})


def _value(field: Field[Any], value: Any) -> Any:
    """A value as requests hold it: JSON has neither sets nor tuples."""
    if field.name == "spread":
        return tuple(Spread(**one) for one in value)
    usual = field.default
    if usual is not MISSING and isinstance(usual, (frozenset, tuple)):
        return type(usual)(value)
    return value


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
