# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Carrying out a list of orders over one connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from .result import ItemResult

Order = Mapping[str, Any]


# Starting a guest is mostly waiting for QEMU: on two CPUs eight at once took half the time of two. More gain nothing,
# since libvirtd serves one client five requests at a time.
DEFAULT_THREADS: Final = 8


def group_orders(orders: Sequence[Order]) -> list[list[int]]:
    """Indices of orders about the same VM, together and in the order given; groups may run at once.

    Two orders are about the same VM when they share a UUID, an id or, where neither is given, a name.
    """
    groups: list[list[int]] = []
    home: dict[tuple[str, str], list[int]] = {}
    for index, order in enumerate(orders):
        keys = _keys(order)
        group = next((home[key] for key in keys if key in home), None)
        if group is None:
            group = []
            groups.append(group)
        group.append(index)
        for key in keys:
            other = home.get(key)
            if other is not None and other is not group:
                # This order joins two groups that looked apart before.
                group.extend(other)
                group.sort()
                groups.remove(other)
                home.update({known: group for known, owner in home.items() if owner is other})
            home[key] = group
    return groups


def run_batch(
    orders: Sequence[Order], carry_out: Callable[[Order], ItemResult], *, threads: int
) -> list[dict[str, Any]]:
    """Carry out orders, those about one VM one after the other.

    :param carry_out: for one order; reports failure in its result.
    :param threads: how many at once, at least 1.
    :returns: one result an order, in the order given.
    """
    results: list[ItemResult | None] = [None] * len(orders)

    def work(group: list[int]) -> None:
        for index in group:
            results[index] = carry_out(orders[index])

    with ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="vm") as pool:
        # list() so that a defect in one of them is raised here instead of being forgotten.
        list(pool.map(work, group_orders(orders)))
    return [result.to_mapping() for result in results if result is not None]


def _keys(order: Order) -> list[tuple[str, str]]:
    keys = [(kind, str(order[kind]).lower()) for kind in ("uuid", "id") if order.get(kind)]
    return keys or [("name", str(order.get("name") or ""))]
