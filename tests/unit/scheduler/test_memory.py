"""A fleet's memory, at a tenth of the size that the benchmark measures."""

from __future__ import annotations

import tracemalloc

from tests.bench import bench_memory

# A tenth of what all of it may take, less what Python and NumPy themselves do.
MOST = 46 * 2**20


def test_a_large_fleet_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        fleet = bench_memory.fill(bench_memory.HOSTS // 10, bench_memory.VMS // 10)
        bench_memory.ask(fleet)
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(fleet) == 1000
    assert held < MOST
