"""One service on a state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from minicloud.pid_file import held
from minicloud.refusal import RefusalError


def test_it_holds_our_pid_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "serve.pid"
    with held(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "serve.pid"
    with held(path):
        with pytest.raises(RefusalError, match=f"pid {os.getpid()}"), held(path):
            pass
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_file_without_a_holder_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "serve.pid"
    path.write_text("999999 of a longer life\n")
    with held(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "serve.pid"
    program = (
        "import os, sys; from pathlib import Path; from minicloud.pid_file import held\n"
        "with held(Path(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 9
    assert path.exists()
    with held(path):
        assert path.read_text() == f"{os.getpid()}\n"
