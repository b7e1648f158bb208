"""When a silent host is fenced, and when it is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud.controllers.host_health import Health, judge, silent_hosts
from minicloud.services.view.fleet import FleetHost, FleetState

from tests.server.controllers.known_fleet import NOW, ago, host

SUSPECT = timedelta(seconds=5)
CONFIRM = timedelta(seconds=5)


def judged(*hosts: FleetHost, answers: dict[str, bool] | None = None) -> Health:
    found = dict.fromkeys((one.name for one in hosts), False) if answers is None else answers
    return judge(FleetState(NOW, hosts=hosts), found, suspect_after=SUSPECT, confirm_after=CONFIRM)


def fenced(*hosts: FleetHost, answers: dict[str, bool] | None = None) -> list[str]:
    return [one.host for one in judged(*hosts, answers=answers).fences]


def silent(seconds: float, **changes: object) -> FleetHost:
    return host(**{"state": "suspect", "silent_since": ago(seconds), "silence_reason": "no route", **changes})


OTHERS = (host(name="node2"), host(name="node3"))


def test_a_host_that_is_dead_on_both_paths_is_fenced() -> None:
    health = judged(silent(11), *OTHERS)
    assert [one.host for one in health.fences] == ["node1"]
    assert "silent for 11 s" in health.fences[0].reason.message
    assert "no route" in health.fences[0].reason.message


def test_a_host_that_answers_is_left_alone() -> None:
    assert fenced(host(), *OTHERS) == []
    assert silent_hosts(FleetState(NOW, hosts=(host(), silent(4), *OTHERS)), SUSPECT) == ()


@pytest.mark.parametrize("seconds", [4, 5, 9.9])
def test_a_host_that_is_merely_slow_is_suspected_first(seconds: float) -> None:
    assert fenced(silent(seconds), *OTHERS) == []


def test_a_host_whose_ssh_answers_is_not_fenced() -> None:
    health = judged(silent(60), *OTHERS, answers={"node1": True})
    assert (health.fences, health.held) == ((), {"node1": "it answers on SSH: libvirt there is in trouble"})


def test_a_host_that_was_not_asked_yet_is_not_fenced() -> None:
    assert fenced(silent(60), *OTHERS, answers={}) == []


def test_a_host_without_a_fence_agent_stays_suspect_and_the_reason_is_told() -> None:
    health = judged(silent(60, fence=False), *OTHERS)
    assert health.fences == ()
    assert "no fence agent" in health.held["node1"]


def test_one_fence_at_a_time_and_none_before_its_back_off_ended() -> None:
    assert fenced(silent(60, fence_operation="op-1"), *OTHERS) == []
    assert fenced(silent(60, fence_not_before=NOW + timedelta(seconds=1)), *OTHERS) == []
    assert fenced(silent(60, fence_not_before=NOW), *OTHERS) == ["node1"]


@pytest.mark.parametrize("state", ["down", "maintenance", "registering"])
def test_a_host_that_need_not_answer_is_not_fenced(state: str) -> None:
    assert fenced(silent(600, state=state), *OTHERS) == []


def test_when_most_hosts_vanish_the_service_suspects_itself() -> None:
    health = judged(silent(60), silent(60, name="node2"), host(name="node3"))
    assert health.fences == ()
    assert "2 of 3 hosts" in health.doubt
    assert set(health.held) == {"node1", "node2"}


def test_the_only_host_may_be_fenced() -> None:
    assert fenced(silent(60)) == ["node1"]


def test_two_of_four_may_be_fenced_and_hosts_known_to_be_down_do_not_count() -> None:
    gone = (silent(60), silent(60, name="node2"))
    assert fenced(*gone, host(name="node3"), host(name="node4")) == ["node1", "node2"]
    assert fenced(*gone, host(name="node3"), host(name="node4", state="down")) == []


@given(
    st.lists(
        st.builds(
            host,
            state=st.sampled_from(["ready", "suspect", "fencing", "down", "maintenance"]),
            silent_since=st.none() | st.floats(0, 120).map(ago),
            fence=st.booleans(),
        ),
        max_size=9,
    )
)
def test_never_more_than_half_nor_one_that_speaks(hosts: list[FleetHost]) -> None:
    fleet = tuple(host(**{**one.__dict__, "name": f"node{number}"}) for number, one in enumerate(hosts, 1))
    chosen = set(fenced(*fleet))
    expected = [one for one in fleet if one.state in ("ready", "suspect", "fencing")]
    assert len(chosen) <= max(1, len(expected) // 2)
    assert chosen.isdisjoint(one.name for one in fleet if one.silent_since is None)
