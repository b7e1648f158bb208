"""Pools by name, beside a plain table of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.scheduler import pool_columns
from minicloud_core.scheduler.arrays import ALL, np
from minicloud_core.scheduler.host import HostView, Pool
from minicloud_core.scheduler.pool_columns import PoolColumns

NAMES = ["ssd", "hdd", "nvme"]
pools = st.dictionaries(st.sampled_from(NAMES), st.builds(Pool, st.integers(0, 1 << 56), st.integers(0, 1000)))
changes = st.lists(
    st.tuples(st.integers(0, 9), st.dictionaries(st.sampled_from([*NAMES, "tape"]), st.integers(0, 1 << 40)))
)


def hosts_with(found: list[dict[str, Pool]]) -> list[HostView]:
    return [HostView(f"node{number}", 1, 1, pools=has) for number, has in enumerate(found)]


@given(st.lists(pools, min_size=1, max_size=8), changes)
def test_what_is_promised_is_counted_where_there_is_such_a_pool(
    found: list[dict[str, Pool]], happens: list[tuple[int, dict[str, int]]]
) -> None:
    columns, used = (
        PoolColumns(hosts_with(found)),
        [{name: pool.used_bytes for name, pool in has.items()} for has in found],
    )
    for number, wanted in happens:
        row = number % len(found)
        columns.count(row, wanted, 1)
        used[row] = {name: size + wanted.get(name, 0) for name, size in used[row].items()}
    for name in [*NAMES, "tape"]:
        left = [has[name].size_bytes - used[row][name] if name in has else -1 for row, has in enumerate(found)]
        assert columns.free(name, ALL).tolist() == left
        assert columns.free(name, np.array([len(found) - 1])).tolist() == left[-1:]
    now = [
        {name: Pool(pool.size_bytes, used[row][name]) for name, pool in has.items()} for row, has in enumerate(found)
    ]
    assert [columns.on(row) for row in range(len(found))] == now


def test_a_name_for_each_host_is_no_table_of_hosts_by_hosts() -> None:
    count = 3 * pool_columns._KEPT
    columns = PoolColumns(hosts_with([{f"pool{number}": Pool(number)} for number in range(count)]))
    for number in range(count):
        free = columns.free(f"pool{number}", ALL)
        assert (free[number], int((free >= 0).sum())) == (number, 1)
    assert len(columns._columns) == pool_columns._KEPT
