"""What a run is given to read, and that it goes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from stat import S_IMODE

import pytest
from minicloud.runner.directory import RunDirectory, existing, sweep
from minicloud.runner.environment import configuration, control_path_dir, environment, make_control_path_dir
from minicloud.runner.record import read_claims, write_claims

from tests.server.runner.claims import claim, remote


def create(parent: Path, run: str = "run-1") -> RunDirectory:
    return RunDirectory.create(parent, run, inventory={"all": {}}, task={"forks": 1}, configuration="[defaults]\n")


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    directory = create(tmp_path / "runs")
    modes = {path: S_IMODE(path.stat().st_mode) for path in (directory.path.parent, *directory.path.parent.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert json.loads((directory.path / "run.json").read_text()) == {"forks": 1}


def test_nothing_is_left_of_one_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: RunDirectory, name: str, _text: str) -> None:
        if name == "ansible.cfg":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunDirectory, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_there_is_anothers(tmp_path: Path) -> None:
    first = create(tmp_path)
    with pytest.raises(FileExistsError):
        create(tmp_path)
    assert (first.path / "run.json").exists()


def test_old_ones_are_swept_and_those_in_use_stay(tmp_path: Path) -> None:
    for run in ("run-old", "run-used", "run-new"):
        create(tmp_path, run)
    (tmp_path / "other").mkdir()
    for run in ("run-old", "run-used"):
        os.utime(tmp_path / run, (0, 0))
    assert sweep(tmp_path, keep=frozenset({"run-used"}), now=time.time()) == ["run-old"]
    assert {directory.run for directory in existing(tmp_path)} == {"run-used", "run-new"}
    assert (tmp_path / "other").exists()


def test_last_words_are_the_last(tmp_path: Path) -> None:
    directory = create(tmp_path)
    assert directory.last_words() == ""
    directory.errors.write_bytes(b"x" * 5000 + b"\nMemoryError\n")
    assert directory.last_words(20).endswith("MemoryError")
    assert len(directory.last_words(20)) < 20


def test_claims_survive_the_service(tmp_path: Path) -> None:
    directory = create(tmp_path)
    assert read_claims(directory) == []
    claims = [claim(1), claim(2, destination=remote("node2"), image={"name": "tiny"})]
    write_claims(directory, claims)
    assert read_claims(directory) == claims


def test_a_run_inherits_nothing_that_could_steer_ansible(tmp_path: Path) -> None:
    ours = {
        "PATH": "/usr/bin",
        "HOME": "/root",
        "ANSIBLE_FORKS": "99",
        "PYTHONPATH": "/evil",
        "MINICLOUD_TOKEN": "secret",
    }
    given = environment("run-1", tmp_path, inherited=ours)
    assert given["HOME"] == "/root"
    assert given["PATH"].endswith(":/usr/bin")
    assert given["MINICLOUD_RUN"] == "run-1"
    assert not {"ANSIBLE_FORKS", "PYTHONPATH", "MINICLOUD_TOKEN"} & set(given)


def test_the_sockets_of_ssh_fit_and_are_ours_alone(tmp_path: Path) -> None:
    path = control_path_dir(Path("/a" * 200))
    assert len(str(path)) < 60
    assert path != control_path_dir(Path("/b" * 200))
    mine = tmp_path / "sockets"
    make_control_path_dir(mine)
    make_control_path_dir(mine)
    assert S_IMODE(mine.stat().st_mode) == 0o700
    mine.chmod(0o777)
    with pytest.raises(PermissionError, match="remove it"):
        make_control_path_dir(mine)
    link = tmp_path / "link"
    mine.chmod(0o700)
    link.symlink_to(mine)
    with pytest.raises(PermissionError):
        make_control_path_dir(link)


def test_a_hosts_key_is_held_to(tmp_path: Path) -> None:
    text = configuration(collections=tmp_path, control_path=tmp_path / "cp", known_hosts=tmp_path / "known_hosts")
    assert f"UserKnownHostsFile={tmp_path}/known_hosts" in text
    assert "StrictHostKeyChecking=accept-new" in text
