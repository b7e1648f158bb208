"""A fleet in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from minicloud_core.model.errors import InputError
from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.document_field import FieldReader
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.policy import Policy

from .decoding import decode, placed


def load_fleet(path: Path, policy: Policy) -> Fleet:
    """Read ``{"hosts": […], "vms": […]}``.

    Loads count as fresh at all times: nothing measures anew while a trace is replayed.

    :param policy: whose figures say how much a NUMA node may promise.
    :raises InputError: naming the file and the path of everything that is wrong in it.
    :raises OSError: when the file cannot be read.
    """
    document = decode(path.read_bytes(), str(path))
    try:
        hosts, vms = _parts(document)
        return read_fleet(hosts, vms, at=math.inf, policy=policy, ids=True)
    except InputError as error:
        raise InputError([placed(problem, str(path)) for problem in error.problems]) from error


def _parts(document: Any) -> tuple[list[Any], list[Any]]:
    reader = FieldReader()
    fleet = reader.mapping(document, "") or {}
    reader.check_fields(fleet, ("hosts", "vms"), "")
    if not reader.problems and fleet.get("hosts") is None:
        reader.refuse("hosts", "missing", "a list of hosts")
    parts = reader.items(fleet.get("hosts"), "hosts"), reader.items(fleet.get("vms"), "vms")
    if reader.problems:
        raise InputError(reader.problems)
    return parts
