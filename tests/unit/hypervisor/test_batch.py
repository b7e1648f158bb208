"""Lists of orders: one result each, in their order, those about one VM in turn."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.hypervisor.batch import group_orders, run_batch
from minicloud_core.hypervisor.result import ItemResult

FEW = st.sampled_from(["a", "b", "c", "d"])
ORDERS = st.lists(st.fixed_dictionaries({}, optional={"uuid": FEW, "id": FEW, "name": FEW}), max_size=12)


@given(ORDERS)
def test_groups_hold_every_order_once_and_in_its_place(orders: list[dict[str, str]]) -> None:
    groups = group_orders(orders)
    assert sorted(index for group in groups for index in group) == list(range(len(orders)))
    assert all(group == sorted(group) for group in groups)


@given(ORDERS)
def test_orders_that_share_a_key_are_in_one_group(orders: list[dict[str, str]]) -> None:
    home = {index: number for number, group in enumerate(group_orders(orders)) for index in group}
    for key in ("uuid", "id"):
        owners = defaultdict(set)
        for index, order in enumerate(orders):
            if key in order:
                owners[order[key]].add(home[index])
        assert all(len(groups) == 1 for groups in owners.values())


def test_orders_about_different_vms_are_apart() -> None:
    assert group_orders([{"id": "a"}, {"id": "b"}, {"name": "c"}]) == [[0], [1], [2]]


def test_a_later_order_may_join_two_groups() -> None:
    assert group_orders([{"id": "a"}, {"uuid": "u"}, {"id": "a", "uuid": "U"}]) == [[0, 1, 2]]


def test_results_come_in_the_order_given_whoever_ends_first() -> None:
    def carry_out(order: Any) -> ItemResult:
        time.sleep(order["pause"])
        return ItemResult.of(order)

    orders = [{"id": f"vm-{number}", "pause": 0.05 - number * 0.01} for number in range(5)]
    assert [result["id"] for result in run_batch(orders, carry_out, threads=5)] == [order["id"] for order in orders]


def test_no_more_than_so_many_at_once_and_never_two_about_one_vm() -> None:
    lock, running, most = threading.Lock(), set[str](), [0]

    def carry_out(order: Any) -> ItemResult:
        with lock:
            assert order["id"] not in running
            running.add(order["id"])
            most[0] = max(most[0], len(running))
        time.sleep(0.01)
        with lock:
            running.remove(order["id"])
        return ItemResult.of(order)

    run_batch([{"id": f"vm-{number % 6}"} for number in range(24)], carry_out, threads=3)
    assert most[0] == 3


def test_a_defect_is_not_swallowed() -> None:
    def carry_out(_order: Any) -> ItemResult:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_batch([{"id": "a"}], carry_out, threads=1)


def test_an_empty_list_is_fine() -> None:
    assert run_batch([], ItemResult.of, threads=4) == []
