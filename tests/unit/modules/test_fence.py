"""The fence module against agents that work, fail, hang and lie: real programs, each in a few lines of shell."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]

AGENT = """#!/bin/sh
power="{folder}/power-"
while IFS== read -r key value; do
    echo "$key=$value" >> "{folder}/told"
    case "$key" in
        action) action=$value ;;
        plug) plug=$value ;;
    esac
done
state() {{ cat "$power$plug" 2>/dev/null || echo on; }}
case "$action" in
    status) [ "$(state)" = on ] && exit 0; exit 2 ;;
    {behaviour}
esac
"""
HONEST = "off|on) echo $action > $power$plug ;; reboot) echo on > $power$plug ;;"


class Bench:
    """A folder with one agent in it, and what the agent was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.agent = str(folder / "fence_bench")

    def behave(self, behaviour: str) -> None:
        Path(self.agent).write_text(AGENT.format(folder=self.folder, behaviour=behaviour))
        Path(self.agent).chmod(0o755)

    def power(self, plug: str) -> str:
        file = self.folder / f"power-{plug}"
        return file.read_text().strip() if file.exists() else "on"

    def told(self) -> list[str]:
        return (self.folder / "told").read_text().splitlines()

    def actions(self) -> list[str]:
        return [line.removeprefix("action=") for line in self.told() if line.startswith("action=")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.behave(HONEST)
    return bench


def test_power_is_cut_and_seen_to_be_cut(bench: Bench, run_module: Run) -> None:
    result = run_module("fence", host="node1", agent=bench.agent, options={"plug": "n1", "ip": "192.0.2.1"})
    assert bench.actions() == ["status", "off", "status"]
    assert "ip=192.0.2.1" in bench.told()
    assert result["changed"]
    assert result["power"] == "off"
    assert result["diff"] == [{"before": {"node1": {"power": "on"}}, "after": {"node1": {"power": "off"}}}]


def test_a_host_that_is_off_is_left_alone(bench: Bench, run_module: Run) -> None:
    (bench.folder / "power-n1").write_text("off")
    result = run_module("fence", host="node1", agent=bench.agent, options={"plug": "n1"}, action="off")
    assert not result["changed"]
    assert bench.actions() == ["status"]


def test_power_comes_back(bench: Bench, run_module: Run) -> None:
    arguments = {"host": "node1", "agent": bench.agent, "options": {"plug": "n1"}}
    run_module("fence", **arguments)
    assert run_module("fence", action="on", **arguments)["changed"]
    assert not run_module("fence", action="on", **arguments)["changed"]
    assert run_module("fence", action="reboot", **arguments)["power"] == "on"
    assert bench.actions()[-3:] == ["status", "reboot", "status"]


def test_status_changes_nothing(bench: Bench, run_module: Run) -> None:
    result = run_module("fence", host="node1", agent=bench.agent, action="status")
    assert not result["changed"]
    assert result["power"] == "on"


def test_check_mode_reads_and_does_not_switch(bench: Bench, run_module: Run) -> None:
    result = run_module("fence", host="node1", agent=bench.agent, options={"plug": "n1"}, check=True)
    assert result["changed"]
    assert bench.actions() == ["status"]
    assert bench.power("n1") == "on"


def test_an_agent_that_lies_is_not_believed(bench: Bench, run_module: Run) -> None:
    bench.behave("off) exit 0 ;;")
    result = run_module("fence", host="node1", agent=bench.agent, timeout=1)
    assert result["failed"]
    assert result["results"][0]["error"]["code"] == "minicloud.host.fence_failed"
    assert result["results"][0]["state"] == "unknown"
    assert "says that off worked, yet 1 s later the power is on" in result["msg"]


def test_power_that_follows_slowly_is_waited_for(bench: Bench, run_module: Run) -> None:
    bench.behave("off) (sleep 0.7; echo off > $power$plug) >/dev/null 2>&1 & ;;")
    result = run_module("fence", host="node1", agent=bench.agent, options={"plug": "n1"}, timeout=10)
    assert result["power"] == "off"
    assert bench.actions().count("status") > 2


def test_an_agent_that_hangs_is_stopped_with_its_children(bench: Bench, run_module: Run) -> None:
    bench.behave(f"off) sleep 600 & echo $! > {bench.folder}/child; wait ;;")
    began = time.monotonic()
    result = run_module("fence", host="node1", agent=bench.agent, timeout=0.5)
    assert time.monotonic() - began < 10
    assert "did not answer to off within 0.5 s" in result["msg"]
    child = int((bench.folder / "child").read_text())
    deadline = time.monotonic() + 5
    while _is_alive(child):
        assert time.monotonic() < deadline, "the agent's child outlived it"
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_an_agent_that_fails_is_quoted(bench: Bench, run_module: Run) -> None:
    bench.behave("off) echo 'Connection timed out' >&2; exit 1 ;;")
    result = run_module("fence", host="node1", agent=bench.agent)
    assert "could not switch off: it exited with 1: Connection timed out" in result["msg"]
    assert result["results"][0]["error"]["details"]["before"] == "on"


def test_an_agent_that_cannot_tell_the_power_switches_nothing(bench: Bench, run_module: Run) -> None:
    Path(bench.agent).write_text("#!/bin/sh\ncat > /dev/null\necho 'Unable to connect' >&2\nexit 1\n")
    result = run_module("fence", host="node1", agent=bench.agent)
    assert "cannot tell the power: it exited with 1: Unable to connect" in result["msg"]


def test_an_agent_that_is_not_there_is_named(run_module: Run) -> None:
    result = run_module("fence", host="node1", agent="fence_of_nobody")
    assert "there is no fence agent fence_of_nobody" in result["msg"]


def test_an_agent_is_found_by_name(bench: Bench, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{bench.folder}{os.pathsep}{os.environ['PATH']}")
    assert run_module("fence", host="node1", agent="fence_bench", action="status")["power"] == "on"


@pytest.mark.parametrize("options", [{"plug": "n1\naction=on"}, {"action": "on"}, {"plug=x": "1"}])
def test_an_option_cannot_smuggle_another_action_in(bench: Bench, run_module: Run, options: dict[str, str]) -> None:
    result = run_module("fence", host="node1", agent=bench.agent, options=options)
    assert result["results"][0]["error"]["code"] == "minicloud.input.invalid"
    assert not (bench.folder / "told").exists()


def test_a_list_has_a_result_each_in_order(bench: Bench, run_module: Run) -> None:
    fences = [
        {"id": "node1", "operation": "op-1", "agent": bench.agent, "options": {"plug": "n1"}},
        {"id": "node2", "operation": "op-2", "agent": "fence_of_nobody"},
        {"id": "node3", "operation": "op-3", "agent": bench.agent, "options": {"plug": "n3"}, "action": "status"},
    ]
    result = run_module("fence", fences=fences, fail_on_item=False)
    assert not result.get("failed")
    assert result["changed"]
    shown = [(item["id"], item["operation"], item["failed"], item["state"]) for item in result["results"]]
    assert shown == [
        ("node1", "op-1", False, "off"),
        ("node2", "op-2", True, "unknown"),
        ("node3", "op-3", False, "on"),
    ]
    assert result["results"][1]["error"]["code"] == "minicloud.host.fence_failed"
    assert all(item["seconds"] >= 0 for item in result["results"])


def test_one_bad_item_fails_the_task_after_all_ran(bench: Bench, run_module: Run) -> None:
    fences = [{"id": "a", "agent": "fence_of_nobody"}, {"id": "b", "agent": bench.agent, "options": {"plug": "b"}}]
    result = run_module("fence", fences=fences)
    assert result["failed"]
    assert result["msg"].startswith("a: there is no fence agent")
    assert result["results"][1]["state"] == "off"
    assert bench.power("b") == "off"


def test_a_list_is_carried_out_side_by_side(bench: Bench, run_module: Run) -> None:
    bench.behave("off) sleep 1; echo off > $power$plug ;;")
    began = time.monotonic()
    result = run_module(
        "fence", fences=[{"id": f"n{n}", "agent": bench.agent, "options": {"plug": f"n{n}"}} for n in range(6)]
    )
    assert all(item["state"] == "off" for item in result["results"])
    assert time.monotonic() - began < 5


def test_secrets_reach_the_agent_and_nobody_else(bench: Bench, run_module: Run) -> None:
    bench.behave("off) echo the password is hunter2-hunter2; exit 1 ;;")
    options = {"password": "hunter2-hunter2", "plug": "n1"}
    result = run_module("fence", host="node1", agent=bench.agent, options=options)
    assert "password=hunter2-hunter2" in bench.told()
    assert "hunter2-hunter2" not in str(result)
    assert "n1" in str(result["invocation"])


def test_a_word_that_yaml_takes_for_a_boolean_is_understood(bench: Bench, run_module: Run) -> None:
    result = run_module("fence", host="node1", agent=bench.agent, options={"plug": "n1"}, action=False)
    assert result["power"] == "off"
    result = run_module("fence", fences=[{"id": "a", "agent": bench.agent, "options": {"plug": "n1"}, "action": True}])
    assert result["results"][0]["state"] == "on"


def test_one_host_or_a_list_is_needed(run_module: Run) -> None:
    assert run_module("fence")["failed"]
    assert run_module("fence", host="node1")["failed"]
    assert run_module("fence", host="node1", agent="x", fences=[])["failed"]
