"""What callers write about many VMs at once, read or refused."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud_core.model.batch import BATCH_MAX, GroupSpec, parse_batch
from minicloud_core.model.errors import InputError
from minicloud_core.model.scheduling import SpreadSpec

TRIO = [{"name": "db1"}, {"name": "web1"}, {"name": "db2"}]


def problems(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        parse_batch(body)
    assert all(problem.allowed for problem in caught.value.problems)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_vms_and_groups_are_read() -> None:
    batch = parse_batch(
        {
            "vms": [{"name": "db1", "cpu": 2}, {"name": "web1"}, {"name": "db2", "scheduling": {"spread": ["host"]}}],
            "groups": [{"name": "db", "vms": ["db2", "db1"], "spread": ["rack"]}],
            "all": True,
        }
    )
    assert [(vm.name, vm.cpu) for vm in batch.vms] == [("db1", 2), ("web1", 1), ("db2", 1)]
    assert batch.groups == (GroupSpec("db", ("db2", "db1")),)
    assert batch.whole
    assert [vm.scheduling.group for vm in batch.vms] == ["db", None, "db"]
    assert batch.vms[0].scheduling.spread == (SpreadSpec("rack"),)
    assert batch.vms[2].scheduling.spread == (SpreadSpec("host"), SpreadSpec("rack"))
    assert [batch.group_of(vm.name) for vm in batch.vms] == ["db", None, "db"]


def test_units_come_as_the_first_of_each_was_given() -> None:
    batch = parse_batch({"vms": TRIO, "groups": [{"name": "db", "vms": ["db2", "db1"]}]})
    assert batch.units() == (("db", ("db2", "db1")), (None, ("web1",)))
    assert not batch.whole


def test_every_mistake_is_named_with_its_path() -> None:
    body = {
        "vms": [{"name": "a", "cpu": 0}, {"name": "b", "ramm": 1}, "c"],
        "groups": [{"name": "-", "vms": ["a", "a"], "spread": [{"by": "rack", "at_most": 0}], "size": 3}],
        "all": "yes",
        "dry_run": True,
    }
    assert set(problems(body)) == {
        "dry_run", "vms.0.cpu", "vms.1.ramm", "vms.2", "groups.0.size", "groups.0.name", "groups.0.vms.1",
        "groups.0.spread.0.at_most", "all",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "vms"),
        ({"vms": []}, "vms"),
        ({"vms": [{"name": f"vm{number}"} for number in range(BATCH_MAX + 1)]}, "vms"),
        ({"vms": [{"name": "a"}, {"name": "a"}]}, "vms.1.name"),
        ({"vms": TRIO, "groups": {}}, "groups"),
        ({"vms": TRIO, "groups": ["db"]}, "groups.0"),
        ({"vms": TRIO, "groups": [{"name": "db"}]}, "groups.0.vms"),
        ({"vms": TRIO, "groups": [{"name": "db", "vms": ["db3"]}]}, "groups.0.vms.0"),
        ({"vms": TRIO, "groups": [{"name": "db", "vms": [{"name": "db1"}]}]}, "groups.0.vms.0"),
        ({"vms": TRIO, "groups": [{"name": "db", "vms": ["db1"]}, {"name": "db", "vms": ["db2"]}]}, "groups.1.name"),
        ({"vms": TRIO, "groups": [{"name": "a", "vms": ["db1"]}, {"name": "b", "vms": ["db1"]}]}, "groups.1.vms.0"),
    ],
)
def test_what_is_no_batch_is_refused(body: dict[str, Any], field: str) -> None:
    assert set(problems(body)) == {field}


@pytest.mark.parametrize(
    ("scheduling", "field"),
    [
        ({"group": "cache"}, "vms.0.scheduling.group"),
        ({"spread": [{"by": "rack", "at_most": 3}]}, "vms.0.scheduling.spread"),
        ({"spread": ["a", "b", "c", "d"]}, "vms.0.scheduling.spread"),
    ],
)
def test_a_vm_and_its_group_do_not_contradict_each_other(scheduling: dict[str, Any], field: str) -> None:
    group = {"name": "db", "vms": ["db1", "db2"], "spread": ["rack"]}
    body = {"vms": [{"name": "db1", "scheduling": scheduling}, {"name": "db2"}], "groups": [group]}
    assert set(problems(body)) == {field}
