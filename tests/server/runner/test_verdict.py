"""What events say about operations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud.runner.batch import Batch
from minicloud.runner.verdict import Tally, ended_without_result, entries_of, outcome_of

from tests.server.runner.claims import claim, remote

DONE = {"id": "vm-101", "operation": "op-1", "failed": False, "state": "running"}
FAILED = {
    "id": "vm-102",
    "operation": "op-2",
    "failed": True,
    "error": {"code": "minicloud.hypervisor.failed", "message": "no such network"},
}


def event(name: str, host: str = "node1", **data: Any) -> dict[str, Any]:
    told = {"host": host, "task": "Make the VMs", "play_pattern": "minicloud_targets", **data}
    return {"event": name, "created": "2026-11-21T12:00:00.5+00:00", "stdout": "", "event_data": told}


def two_hosts() -> Tally:
    claims = (
        claim(1, connection=remote("node1")),
        claim(2, connection=remote("node1")),
        claim(3, connection=remote("node2")),
    )
    return Tally(Batch("create_vm.yml", claims))


def kinds(settled: list[tuple[Any, Any]]) -> dict[str, str]:
    return {one.operation: outcome.kind for one, outcome in settled}


def test_each_item_settles_its_own_operation() -> None:
    tally = two_hosts()
    assert kinds(tally.take(event("runner_on_ok", res={"results": [DONE, FAILED]}))) == {
        "op-1": "succeeded",
        "op-2": "failed",
    }
    assert [one.operation for one in tally.open] == ["op-3"]


def test_a_task_that_fails_because_of_an_item_settles_the_items_alone() -> None:
    settled = two_hosts().take(event("runner_on_failed", res={"results": [DONE, FAILED], "msg": "1 of 2 failed"}))
    assert kinds(settled) == {"op-1": "succeeded", "op-2": "failed"}
    assert settled[1][1].error["message"] == "no such network"


def test_a_module_that_dies_fails_the_operations_of_its_host() -> None:
    tally = two_hosts()
    settled = tally.take(event("runner_on_failed", res={"msg": "MODULE FAILURE", "module_stderr": "Killed"}))
    assert kinds(settled) == {"op-1": "failed", "op-2": "failed"}
    outcome = settled[0][1]
    assert outcome.retry
    assert "MODULE FAILURE · Killed" in outcome.error["message"]
    assert "node1" in outcome.error["message"]


def test_an_unreachable_host_leaves_the_others_alone() -> None:
    settled = two_hosts().take(event("runner_on_unreachable", "node2", res={"msg": "Connection refused"}))
    assert kinds(settled) == {"op-3": "unreachable"}
    assert settled[0][1].error["message"] == "Connection refused"


def test_a_destination_that_fails_settles_nothing() -> None:
    tally = two_hosts()
    told = {"play_pattern": "minicloud_destinations", "res": {"msg": "no"}}
    assert tally.take(event("runner_on_unreachable", **told)) == []
    assert tally.take(event("runner_on_failed", **told)) == []


def test_results_of_others_and_results_told_twice_settle_nothing() -> None:
    tally = two_hosts()
    assert tally.take(event("runner_on_ok", res={"results": [{"operation": "op-9"}, "text", {"id": "x"}]})) == []
    assert kinds(tally.take(event("runner_on_ok", res={"results": [DONE]}))) == {"op-1": "succeeded"}
    assert tally.take(event("runner_on_ok", res={"results": [{**DONE, "failed": True}]})) == []


def test_an_ignored_failure_is_none() -> None:
    assert two_hosts().take(event("runner_on_failed", ignore_errors=True, res={"msg": "no"})) == []


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        ("minicloud.hypervisor.failed", True),
        ("minicloud.hypervisor.timeout", True),
        ("minicloud.image.unusable", True),
        ("minicloud.input.invalid", False),
        ("minicloud.hypervisor.unmanaged_domain", False),
        ("minicloud.operation.stale_epoch", False),
    ],
)
def test_only_what_another_try_may_mend_is_tried_again(code: str, retry: bool) -> None:
    assert outcome_of({**FAILED, "error": {"code": code, "message": "no"}}).retry is retry


def test_a_failed_item_without_a_reason_has_one_all_the_same() -> None:
    assert outcome_of({"failed": True}).error["message"] == "the module failed without saying why"


@pytest.mark.parametrize("status", ["successful", "failed", "timeout", "canceled", "crashed"])
def test_a_run_that_says_nothing_is_tried_again(status: str) -> None:
    outcome = ended_without_result(status, 2, "last words")
    assert (outcome.kind, outcome.retry) == ("failed", True)
    assert outcome.error["message"].endswith(": last words")


def test_a_result_is_logged_at_the_operations_it_names_with_their_items_alone() -> None:
    entries = entries_of(event("runner_on_ok", res={"results": [DONE, FAILED]}), ["op-1", "op-3"])
    assert set(entries) == {"op-1"}
    assert entries["op-1"].kind == "result"
    assert entries["op-1"].data["item"] == DONE
    assert entries["op-1"].at.isoformat() == "2026-11-21T12:00:00.500000+00:00"


def test_the_start_of_a_task_is_logged_everywhere() -> None:
    entries = entries_of({**event("playbook_on_task_start"), "stdout": "\r\nTASK [Make the VMs] ***"}, ["op-1", "op-3"])
    assert {one.data["stdout"] for one in entries.values()} == {"TASK [Make the VMs] ***"}
    assert set(entries) == {"op-1", "op-3"}


def test_noise_is_not_logged() -> None:
    assert entries_of({"event": "verbose", "stdout": " \r\n"}, ["op-1"]) == {}
    assert entries_of({"event": "playbook_on_stats", "stdout": "PLAY RECAP"}, ["op-1"]) == {}


ANY_RESULT = st.fixed_dictionaries(
    {"results": st.lists(st.fixed_dictionaries({"operation": st.sampled_from(["op-1", "op-2", "op-3", "op-4", None])}))}
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["runner_on_ok", "runner_on_failed", "runner_on_unreachable", "verbose"]),
            st.sampled_from(["node1", "node2", "node3"]),
            ANY_RESULT | st.just({}),
        )
    )
)
def test_whatever_comes_each_operation_is_settled_once(events: list[tuple[str, str, dict[str, Any]]]) -> None:
    tally = two_hosts()
    settled = [one for name, host, result in events for one in tally.take(event(name, host, res=result))]
    settled += tally.close(ended_without_result("successful", 0, ""))
    assert sorted(one.operation for one, _outcome in settled) == ["op-1", "op-2", "op-3"]
    assert tally.open == ()
