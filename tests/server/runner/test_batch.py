"""What goes into one run, and how long it may take."""

from __future__ import annotations

from minicloud.runner.batch import group

from tests.server.runner.claims import claim, remote


def test_what_waits_for_the_same_playbook_goes_together() -> None:
    claims = [
        claim(1, connection=remote("node1")),
        claim(2, connection=remote("node2"), playbook="power_vm.yml"),
        claim(3, connection=remote("node2")),
    ]
    create, power = group(claims)
    assert (create.playbook, [one.operation for one in create.claims]) == ("create_vm.yml", ["op-1", "op-3"])
    assert (power.playbook, [one.operation for one in power.claims]) == ("power_vm.yml", ["op-2"])
    assert {host: [one.operation for one in claims] for host, claims in create.by_host().items()} == {
        "node1": ["op-1"],
        "node2": ["op-3"],
    }


def test_nothing_to_do_makes_no_run() -> None:
    assert group([]) == []


def test_a_run_gets_the_time_that_its_longest_list_needs() -> None:
    def stop(number: int, host: str) -> object:
        return claim(number, connection=remote(host), playbook="power_vm.yml")

    (one,) = group([stop(1, "node1")])  # type: ignore[list-item]
    (spread,) = group([stop(1, "node1"), stop(2, "node2")])  # type: ignore[list-item]
    (crowded,) = group([stop(number, "node1") for number in range(1, 10)])  # type: ignore[misc]
    assert one.timeout == spread.timeout == 120 + 80
    assert crowded.timeout == 120 + 3 * 80
