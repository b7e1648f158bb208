"""The inventory of a run, read by Ansible itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from minicloud.runner.batch import Batch
from minicloud.runner.inventory import inventory

from tests.server.runner.claims import claim, remote

HOSTILE = '{{ lookup("pipe", "touch /nonexistent/x") }} {% raw %} \u0085 \u2028 😀 \x7f "\\ \n: #'
IMAGE = {"name": "tiny", "kind": "kernel", "files": [], "cmdline": "{{ ansible_host }}"}


def read_by_ansible(tree: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(tree))
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(path), "--list"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    variables: dict[str, Any] = json.loads(answer.stdout)["_meta"]["hostvars"]
    return variables


def plain(value: Any) -> Any:
    """Undo the mark that keeps a string from being taken for a template."""
    if isinstance(value, dict):
        return value["__ansible_unsafe"] if "__ansible_unsafe" in value else {k: plain(v) for k, v in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def test_orders_arrive_as_they_were_and_are_no_templates(tmp_path: Path) -> None:
    order = {"id": "vm-101", "cloud_init": {"user_data": HOSTILE}, "cpu": 2, "disks": [], "image": None}
    batch = Batch("create_vm.yml", (claim(order=order, connection=remote("node1", key_file="/k {{ x }}")),))
    variables = read_by_ansible(inventory(batch, "run-1", control_interpreter="/usr/bin/python3"), tmp_path)
    assert plain(variables["node1"]["minicloud_orders"]) == [order]
    assert plain(variables["node1"]["ansible_ssh_private_key_file"]) == "/k {{ x }}"


def test_a_template_in_an_order_is_never_filled_in(tmp_path: Path) -> None:
    """The same through a task: what reaches it is the text."""
    batch = Batch("create_vm.yml", (claim(order={"id": "{{ 6 * 7 }}"}),))
    tree = inventory(batch, "run-1", control_interpreter=sys.executable)
    (tmp_path / "inventory.json").write_text(json.dumps(tree))
    command = [str(Path(sys.executable).parent / "ansible"), "node1", "-i", str(tmp_path / "inventory.json")]
    command += ["-m", "ansible.builtin.debug", "-a", "msg={{ minicloud_orders[0].id }}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "{{ 6 * 7 }}" in answer.stdout
    assert "42" not in answer.stdout


def test_a_host_is_reached_as_it_was_registered() -> None:
    connection = remote("node1", "2001:db8::1", user="cloud", port=2222, key_file="/keys/node1")
    tree = inventory(Batch("create_vm.yml", (claim(connection=connection),)), "run-1", control_interpreter="python3")
    host = plain(tree["all"]["children"]["minicloud_targets"]["hosts"]["node1"])
    assert host["ansible_host"] == "2001:db8::1"
    assert (host["ansible_user"], host["ansible_port"]) == ("cloud", 2222)
    assert host["ansible_ssh_private_key_file"] == "/keys/node1"
    assert host["minicloud_run"] == "run-1"


def test_destinations_of_migrations_get_each_image_once() -> None:
    there = remote("node2", "192.0.2.12")
    claims = tuple(
        claim(number, playbook="migrate_vm.yml", connection=remote("node1"), destination=there, image=IMAGE)
        for number in (1, 2)
    )
    tree = inventory(Batch("migrate_vm.yml", claims), "run-1", control_interpreter="python3")
    children = tree["all"]["children"]
    assert len(children["minicloud_targets"]["hosts"]["node1"]["minicloud_orders"]) == 2
    assert plain(children["minicloud_destinations"]["hosts"]["node2"]["minicloud_images"]) == [IMAGE]


def test_the_control_node_needs_no_ssh() -> None:
    tree = inventory(Batch("fence_host.yml", (claim(),)), "run-1", control_interpreter="/venv/bin/python")
    host = tree["all"]["children"]["minicloud_targets"]["hosts"]["node1"]
    assert host["ansible_connection"] == "local"
    assert host["ansible_python_interpreter"] == "/venv/bin/python"
