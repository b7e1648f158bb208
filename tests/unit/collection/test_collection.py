"""What Galaxy would carry: the hands, whole, and nothing of the brain."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
HANDS = {"meta", "plugins", "roles", "playbooks", "extensions"}


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        env={**inherited, **environment},
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def tracked() -> list[str]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in names.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("galaxy")
    run("ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT))
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collections")
    run("ansible-galaxy", "collection", "install", "--offline", "-p", str(folder), str(tarball), cwd=folder)
    return folder


def module_names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")


def test_the_tarball_holds_the_hands_and_not_the_brain(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        folders = {name.split("/")[0] for name in archive.getnames() if "/" in name}
    assert folders >= HANDS
    assert not folders & {"server", "tests", "docs", ".venv", ".lab", ".minicloud", "scripts", "requirements"}


def test_every_module_is_documented_where_only_the_tarball_is(installed: Path) -> None:
    names = [f"minicloud.libvirt.{name}" for name in module_names()]
    documents = json.loads(run("ansible-doc", "--json", *names, cwd=installed, ANSIBLE_COLLECTIONS_PATH=str(installed)))
    for name in names:
        assert documents[name]["doc"]["short_description"], name
        assert documents[name]["examples"], name
        assert documents[name]["return"], name


def test_the_inventory_plugin_is_documented_where_only_the_tarball_is(installed: Path) -> None:
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    assert "compose" in run(
        "ansible-doc", "-t", "inventory", "minicloud.libvirt.minicloud", cwd=installed, **environment
    )


@pytest.mark.parametrize("playbook", sorted(path.name for path in (ROOT / "playbooks").glob("*.yml")))
def test_every_playbook_is_read_where_only_the_tarball_is(installed: Path, playbook: str) -> None:
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(installed)}
    path = installed / "ansible_collections" / "minicloud" / "libvirt" / "playbooks" / playbook
    run("ansible-playbook", "--syntax-check", "-i", "localhost,", str(path), cwd=installed, **environment)


def test_one_action_group_names_every_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert runtime["action_groups"] == {"all": module_names()}


def test_one_version_is_told_everywhere() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    project = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert project is not None
    assert project[1] == galaxy


def test_no_committed_file_names_a_path_of_this_machine() -> None:
    here = re.compile(re.escape(str(ROOT)) + r"\b")
    guilty = [name for name in tracked() if here.search((ROOT / name).read_bytes().decode("utf-8", "replace"))]
    assert guilty == []


def test_constraints_pin_versions_and_name_no_index() -> None:
    lines = (ROOT / "requirements" / "constraints.txt").read_text().splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
