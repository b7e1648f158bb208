"""The lab itself, on this machine: it comes up, its power can be controlled, and it leaves nothing behind.

The tests share one host and run in the order of the file; the last one takes the lab down and compares the machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
NAME = "t"
SUBNET = "10.74.0.0/24"
ADDRESS = "10.74.0.11"
AGENT = ROOT / "roles/lab/files/fence_minicloud_lab"
INVENTORY = ROOT / ".lab" / NAME / "inventory.yml"


def playbook(name: str, **variables: str) -> subprocess.CompletedProcess[str]:
    extra = {"lab_name": NAME, "lab_subnet": SUBNET, "lab_hosts": "1", **variables}
    command = ["ansible-playbook", f"playbooks/{name}.yml", "--extra-vars", json.dumps(extra)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, text=True, timeout=280)


def recap(run: subprocess.CompletedProcess[str], host: str) -> dict[str, int]:
    line = re.search(rf"^{host} +: (.*)$", run.stdout, re.MULTILINE)
    assert line, run.stdout + run.stderr
    return {key: int(value) for key, value in (item.split("=") for item in line[1].split())}


def machine(*words: str, check: bool = True) -> dict[str, Any]:
    program = ROOT / "roles/lab/files/lab_machine.py"
    run = subprocess.run(
        [sys.executable, program, "--lab", NAME, *words], capture_output=True, check=False, text=True, timeout=60
    )
    if check:
        assert run.returncode == 0, run.stderr
    return json.loads(run.stdout) if run.returncode == 0 else {"refused": run.stderr}


def fence(**options: str) -> subprocess.CompletedProcess[str]:
    lines = "".join(f"{key}={value}\n" for key, value in {"lab": NAME, **options}.items())
    return subprocess.run([AGENT], input=lines, capture_output=True, check=False, text=True, timeout=60)


def ssh(command: str, timeout: int = 5) -> subprocess.CompletedProcess[str]:
    inventory = yaml.safe_load(INVENTORY.read_text())["hypervisors"]["vars"]
    words = ["ssh", "-i", inventory["ansible_ssh_private_key_file"], *inventory["ansible_ssh_common_args"].split()]
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={timeout}"]
    return subprocess.run(
        [*words, *options, f"root@{ADDRESS}", command], capture_output=True, check=False, text=True, timeout=30
    )


def answers_within(seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ssh("true", timeout=1).returncode == 0:
            return True
        time.sleep(0.5)
    return False


def belongs_to_another_lab(text: str) -> bool:
    """Labs of other names may come and go on this machine while the test runs; they are not its business."""
    return bool(re.search(rf"\b(?:mcbr-|vb-)(?!{NAME}\b)[a-z][a-z0-9]*", text))


def state_of_machine() -> dict[str, list[str]]:
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True, text=True).stdout)
    rules = subprocess.run(["nft", "--stateless", "list", "ruleset"], capture_output=True, check=True, text=True).stdout
    return {
        "links": sorted(link["ifname"] for link in links if not belongs_to_another_lab(link["ifname"])),
        "mounts": sorted(line.split(" ", 3)[3] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "rules": sorted(rules.splitlines()),
        "processes of the lab": processes_of_lab(),
        "directories of the lab": [
            str(path)
            for parent in (Path("/run"), Path("/var/lib"), *Path("/sys/fs/cgroup").iterdir(), Path("/sys/fs/cgroup"))
            for path in (parent / "minicloud-lab").glob(NAME)
        ],
    }


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, dict[str, list[str]]]:
    """What is gone and what is new, by kind; empty when the machine is as it was."""
    found = {}
    for kind, items in before.items():
        gone, new = Counter(items) - Counter(after[kind]), Counter(after[kind]) - Counter(items)
        if gone or new:
            found[kind] = {"gone": list(gone.elements()), "new": list(new.elements())}
    return found


def processes_of_lab() -> list[str]:
    """Every process that is in a control group of the lab, names its host or holds a mount of its disk."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            groups = (process / "cgroup").read_text()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            mounts = (process / "mountinfo").read_text()
        except OSError:
            continue  # it ended meanwhile
        if f"/minicloud-lab/{NAME}/" in groups + mounts or f"--machine={NAME}-node" in command:
            found.append(f"{process.name}: {command}")
    return found


@pytest.fixture(scope="module")
def before() -> dict[str, list[str]]:
    machine("destroy")  # what an interrupted run may have left
    return state_of_machine()


@pytest.fixture(scope="module")
def lab(before: dict[str, list[str]]) -> Iterator[subprocess.CompletedProcess[str]]:
    run = playbook("lab_up")
    yield run
    machine("destroy")


def test_lab_comes_up_and_answers(lab: subprocess.CompletedProcess[str]) -> None:
    assert recap(lab, "localhost")["failed"] == 0, lab.stdout
    assert recap(lab, "node1")["ok"] == 1
    assert ssh("hostname; cat /etc/machine-id; systemctl is-system-running").stdout.split()[0::2] == [
        "node1",
        "running",
    ]


def test_host_is_bare_and_can_install_without_a_network(lab: object) -> None:
    assert ssh("command -v virsh qemu-system-x86_64 nft chronyd").stdout == ""
    assert ssh("python3 -c 'import sqlite3, ssl, venv' && ip route get 10.74.0.1").returncode == 0
    assert ssh("apt-get -qq update").returncode == 0
    simulated = ssh("apt-get -qq --no-install-recommends --simulate install libvirt-daemon-system qemu-system-x86")
    assert "Inst libvirt-daemon-system" in simulated.stdout, simulated.stderr


def test_inventory_tells_what_registration_and_fencing_need(lab: object) -> None:
    inventory = yaml.safe_load(INVENTORY.read_text())["hypervisors"]
    host = inventory["hosts"]["node1"]
    assert host["minicloud_address"] == host["ansible_host"] == ADDRESS
    assert host["minicloud_fence"] == {"agent": str(AGENT), "options": {"plug": "node1", "lab": NAME}}
    assert host["minicloud_labels"]["rack"] == "r1"
    assert inventory["vars"]["lab_gateway"] == "10.74.0.1"
    assert INVENTORY.read_text() == Path(f"/run/minicloud-lab/{NAME}/inventory.yml").read_text()


def test_images_lie_beside_the_inventory(lab: object) -> None:
    tiny = INVENTORY.parent / "images/tiny"
    image = json.loads((tiny / "image.json").read_text())
    assert (image["name"], image["kind"], image["architecture"]) == ("tiny", "kernel", "x86_64")
    for role in ("kernel", "initrd"):
        digest = subprocess.run(["sha256sum", tiny / image[role]], capture_output=True, check=True, text=True).stdout
        assert digest.split()[0] == image["sha256"][image[role]]


def test_again_changes_nothing(lab: object) -> None:
    boot = ssh("cat /proc/sys/kernel/random/boot_id; stat -c %Z /proc/1").stdout
    run = playbook("lab_up")
    assert recap(run, "localhost")["changed"] == 0, run.stdout
    assert ssh("cat /proc/sys/kernel/random/boot_id; stat -c %Z /proc/1").stdout == boot


def test_a_colliding_lab_is_refused(lab: object) -> None:
    run = playbook("lab_up", lab_name="t2")
    assert run.returncode != 0
    assert f"mcbr-{NAME} has 10.74.0.1/24, which meets {SUBNET}" in " ".join(run.stdout.split())
    assert not Path("/var/lib/minicloud-lab/t2").exists()
    assert not Path("/sys/class/net/mcbr-t2").exists()


def test_agent_describes_itself() -> None:
    run = fence(action="metadata")
    tree = ElementTree.fromstring(run.stdout)
    assert run.returncode == 0
    assert {"on", "off", "reboot", "status", "monitor", "list"} <= {item.get("name") for item in tree.iter("action")}
    assert {"plug", "lab"} <= {item.get("name") for item in tree.iter("parameter")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"action": "off", "plug": "node9"}, "has no host 'node9'"),
        ({"action": "status", "plug": "../node1"}, "has no host"),
        ({"action": "status"}, "needs plug="),
        ({"action": "explode", "plug": "node1"}, "unknown action 'explode'"),
        ({"action": "status", "plug": "node1", "lab": "nope"}, "no lab is named 'nope'"),
    ],
)
def test_agent_refuses_what_it_does_not_know(lab: object, options: dict[str, str], message: str) -> None:
    run = fence(**options)
    assert run.returncode == 1
    assert message in run.stderr
    assert fence(action="status", plug="node1").returncode == 0


def test_agent_never_says_off_for_a_misspelt_option(lab: object) -> None:
    run = subprocess.run(
        [AGENT, "--action", "status", "--plugg", "node1"], capture_output=True, check=False, text=True, timeout=60
    )
    assert run.returncode == 1


def test_agent_lists_hosts(lab: object) -> None:
    assert fence(action="list").stdout == "node1,t-node1\n"
    assert fence(action="monitor").returncode == 0


def test_power_off_is_sudden_and_keeps_the_disk(lab: object) -> None:
    assert ssh("echo kept > /root/kept; systemd-run --quiet sleep 999").returncode == 0
    assert fence(action="off", plug="node1").returncode == 0
    assert fence(action="status", plug="node1").returncode == 2
    assert processes_of_lab() == []
    assert fence(action="off", plug="node1").returncode == 0
    assert fence(action="on", plug="node1").returncode == 0
    assert fence(action="status", plug="node1").returncode == 0
    assert answers_within(30)
    assert ssh("cat /root/kept").stdout == "kept\n"


def test_reboot_starts_the_host_anew(lab: object) -> None:
    first = machine("status", "node1")
    started = ssh("stat -c %Z /proc/1").stdout
    assert fence(action="reboot", plug="node1").returncode == 0
    assert answers_within(30)
    assert machine("status", "node1") == first == {"hosts": {"node1": "on"}}
    assert ssh("stat -c %Z /proc/1").stdout != started


def test_a_hung_host_has_power_and_does_not_answer(lab: object) -> None:
    assert machine("hang", "node1")["changed"]
    assert machine("status", "node1") == {"hosts": {"node1": "hung"}}
    assert fence(action="status", plug="node1").returncode == 0
    assert ssh("true", timeout=1).returncode != 0
    assert machine("resume", "node1")["changed"]
    assert answers_within(10)


def test_a_cut_cable_isolates_a_host_that_lives_on(lab: object) -> None:
    started = ssh("stat -c %Z /proc/1").stdout
    assert machine("partition", "node1")["changed"]
    assert ssh("true", timeout=1).returncode != 0
    assert not machine("partition", "node1")["changed"]
    assert machine("heal", "node1")["changed"]
    assert answers_within(10)
    assert ssh("stat -c %Z /proc/1").stdout == started


def test_up_starts_a_dead_host(lab: object) -> None:
    machine("off", "node1")
    assert "start it first" in machine("partition", "node1", check=False)["refused"]
    run = playbook("lab_up")
    assert recap(run, "localhost")["changed"] == 1, run.stdout
    assert recap(run, "node1")["ok"] == 1


def test_down_leaves_the_machine_as_it_was(lab: object, before: dict[str, list[str]]) -> None:
    assert processes_of_lab() != []
    run = playbook("lab_down")
    assert recap(run, "localhost")["failed"] == 0, run.stdout
    assert differences(before, state_of_machine()) == {}
    assert not INVENTORY.parent.exists()
    assert recap(playbook("lab_down"), "localhost")["changed"] == 0
