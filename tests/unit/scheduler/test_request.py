"""What tells requests apart: a field that rules read and a key forgets would be answered with another's answer."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread

# Another value of every field.
OTHER: dict[str, Any] = {
    "cpu": 2,
    "ram_mib": 128,
    "disk_bytes": 1,
    "host": "a",
    "labels": {"tier": "web"},
    "exclude": frozenset({"a"}),
    "numa": 1,
    "project": "red",
    "group": "db",
    "priority": 1,
    "host_labels": {"rack": "r1"},
    "architecture": "x86_64",
    "machine": "q35",
    "cpu_features": frozenset({"avx2"}),
    "networks": frozenset({"lan"}),
    "bandwidth_mbps": 1,
    "pools": {"fast": 1},
    "image": "debian",
    "volumes": frozenset({"data"}),
    "affinity": ("vm:a",),
    "anti_affinity": ("vm:a",),
    "prefer_with": ("vm:a",),
    "prefer_apart": ("vm:a",),
    "spread": (Spread("rack", 1),),
    "pinned": True,
    "huge_pages": True,
    "source": "a",
    "vm": "vm-1",
}
# Read by no rule of the request itself: others may keep away from who has them, which the fleet knows.
OF_OTHERS = {"labels", "group", "priority", "vm"}


@pytest.mark.parametrize("name", [field.name for field in fields(Request)])
def test_the_key_has_all_that_rules_read(name: str) -> None:
    plain = Request(1, 64)
    assert (replace(plain, **{name: OTHER[name]}).key == plain.key) is (name in OF_OTHERS)


def test_who_is_spread_is_told_apart_by_who_is_counted() -> None:
    by_group = Request(1, 64, spread=(Spread("rack", 1),))
    assert replace(by_group, group="db").key != by_group.key
    by_label = Request(1, 64, spread=(Spread("rack", 1, "tier"),))
    assert replace(by_label, labels={"tier": "web"}).key != by_label.key
    assert replace(by_label, labels={"name": "web01"}).key == by_label.key


def test_the_order_in_which_labels_and_pools_are_told_means_nothing() -> None:
    one = Request(1, 64, host_labels={"a": "1", "b": "2"}, pools={"fast": 1, "slow": 2})
    other = Request(1, 64, host_labels={"b": "2", "a": "1"}, pools={"slow": 2, "fast": 1})
    assert one.key == other.key
    assert hash(one.key) == hash(other.key)
