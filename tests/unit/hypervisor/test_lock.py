"""Locks: one holder at a time, gone afterwards, free when the holder dies."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from minicloud_core.hypervisor.lock import exclusive
from minicloud_core.model.errors import HypervisorTimeoutError

HOLD = """
import sys, time
from pathlib import Path
from minicloud_core.hypervisor.lock import exclusive
with exclusive(Path(sys.argv[1]), timeout=5):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    inside = threading.Semaphore(1)

    def work(_number: int) -> None:
        with exclusive(tmp_path / "locks" / "vm.lock", timeout=30):
            assert inside.acquire(blocking=False), "somebody else is inside"
            inside.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_taken_lock_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    path = tmp_path / "vm.lock"
    with (
        exclusive(path, timeout=1),
        pytest.raises(HypervisorTimeoutError, match="stayed locked") as caught,
        exclusive(path, timeout=0.2),
    ):
        pass
    assert caught.value.hint


def test_a_dead_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "vm.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with exclusive(path, timeout=5):
        assert path.exists()
