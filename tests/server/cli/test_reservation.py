"""`minicloud reservation`, against a real service."""

from __future__ import annotations

import re
from uuid import uuid4

from tests.server.cli.conftest import Run


def new() -> str:
    return f"rsv-{uuid4().hex[:8]}"


def test_room_is_held_used_and_released(run: Run) -> None:
    name = new()
    held = run("reservation", "create", name, "--cpu", "1", "--ram", "64", "--ttl", "120", "-o", "json")
    assert held.code == 0, held.err
    room = held.json
    assert (room["name"], room["state"], room["ram"]) == (name, "held", 64)
    listed = run("reservation", "list", "--name", name, "-o", "json").json
    assert [one["id"] for one in listed] == [room["id"]]
    made = run("vm", "create", new(), "--ram", "64", "--reservation", room["id"], "-o", "json")
    assert made.code == 0, made.err
    assert made.json["host"] == room["host"]
    shown = run("reservation", "show", room["id"], "-o", "json").json
    assert (shown["state"], shown["vm"]) == ("used", made.json["id"])
    refused = run("reservation", "release", room["id"])
    assert refused.code == 5
    assert made.json["id"] in refused.err
    assert run("reservation", "list", "--name", name, "-o", "json").json == []
    assert [
        one["state"] for one in run("reservation", "list", "--state", "all", "--name", name, "-o", "json").json
    ] == ["used"]
    run("vm", "delete", made.json["id"])


def test_people_see_how_long_it_is_held_and_why_it_is_there(run: Run) -> None:
    room = run("reservation", "create", "--ram", "64", "--ttl", "3600", "-o", "json").json
    table = run("reservation", "list").out
    assert table.splitlines()[0].split() == ["ID", "NAME", "STATE", "HOST", "CPU", "RAM", "DISK", "LEFT", "VM", "AGE"]
    assert re.search(r"\b5\dm\b", table)
    shown = run("reservation", "show", room["id"]).out
    assert "chosen" in shown
    released = run("reservation", "release", room["id"], "-o", "json").json
    assert (released["state"], released["changed"]) == ("released", True)


def test_a_dry_run_holds_nothing(run: Run) -> None:
    name = new()
    planned = run("reservation", "create", name, "--cpu", "1", "--dry-run")
    assert planned.code == 0, planned.err
    assert "would do" in planned.out or "chosen" in planned.out
    assert run("reservation", "list", "--name", name, "-o", "json").json == []
    assert run("reservation", "create", "--host", "nowhere").code == 6
    assert run("reservation", "create", "--ttl", "0").code == 2
    assert run("reservation", "show", "rsv-nosuch").code == 3
