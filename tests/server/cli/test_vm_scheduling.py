"""What is asked of a VM's place: options to the API's body, and back into words."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from minicloud.cli.vm_scheduling import describe_scheduling, scheduling_from

from tests.server.cli.conftest import Run


def asked(**options: Any) -> dict[str, Any] | None:
    nothing: dict[str, Any] = {
        "host_labels": (),
        "group": None,
        "terms": {},
        "spread": (),
        "priority": None,
        "pinned": False,
        "cpu_features": (),
        "bandwidth_mbps": None,
        "machine": None,
        "numa": 0,
        "huge_pages": False,
    }
    return scheduling_from(**{**nothing, **options})


def test_nothing_said_is_nothing_asked() -> None:
    assert asked() is None
    assert describe_scheduling({}) == ""


def test_each_option_becomes_its_field() -> None:
    body = asked(
        host_labels=["disk=nvme"],
        group="db",
        terms={"affinity": ["vm:cache"], "anti_affinity": ["group:db", "tier=batch"], "prefer_with": ()},
        spread=["host", "rack:2", "zone:3:tier"],
        priority="-5",
        pinned=True,
        cpu_features=["avx2"],
        bandwidth_mbps=100,
        machine="q35",
        numa=2,
        huge_pages=True,
    )
    assert body == {
        "host_labels": {"disk": "nvme"},
        "group": "db",
        "affinity": ["vm:cache"],
        "anti_affinity": ["group:db", "tier=batch"],
        "spread": [{"by": "host"}, {"by": "rack", "at_most": 2}, {"by": "zone", "at_most": 3, "label": "tier"}],
        "priority": -5,
        "pinned": True,
        "cpu_features": ["avx2"],
        "bandwidth_mbps": 100,
        "machine": "q35",
        "numa": 2,
        "huge_pages": True,
    }


def test_a_priority_may_be_a_class() -> None:
    assert asked(priority="critical") == {"priority": "critical"}
    assert asked(priority="0") is None
    assert describe_scheduling({"priority": "critical"}) == "--priority critical"


@pytest.mark.parametrize("option", [{"spread": ["rack:two"]}, {"host_labels": ["nvme"]}])
def test_a_word_without_its_form_is_refused_at_once(option: dict[str, Any]) -> None:
    with pytest.raises(typer.BadParameter):
        asked(**option)


@pytest.mark.slow
def test_a_vm_shows_what_was_asked_in_the_words_that_ask_for_it(run: Run) -> None:
    words = ["--anti-affinity", "role=lonely", "--spread", "host:1", "--priority", "7", "--group", "trio"]
    made = run("vm", "create", "asker", *words, "-o", "json")
    assert made.code == 0, made.err
    assert made.json["scheduling"]["spread"] == [{"by": "host", "at_most": 1}]
    shown = run("vm", "show", "asker").out
    line = next(line for line in shown.splitlines() if line.startswith("scheduling"))
    assert line.split()[1:] == words[:4] + words[6:] + words[4:6]
    again = run("vm", "create", "asker", *words, "-o", "json")
    assert (again.code, again.json["id"]) == (0, made.json["id"])
    other = run("vm", "create", "asker", "--group", "duo")
    assert other.code == 5
    wrong = run("vm", "create", "wrong", "--affinity", "asker")
    assert wrong.code == 2
    assert "scheduling.affinity.0" in wrong.err
