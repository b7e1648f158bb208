"""Playbooks for tests: small, on this machine, real."""

from __future__ import annotations

from pathlib import Path

_HEAD = """
- name: Act
  hosts: minicloud_targets
  gather_facts: false
  connection: {connection}
  tasks:
"""

# Answers as our modules do: one item an order, each with its own fate, which the order's id says.
_MODULE = """
import time
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"orders": {"type": "list", "elements": "dict"}, "seconds": {"type": "float", "default": 0}})
time.sleep(module.params["seconds"])
results = []
for order in module.params["orders"]:
    item = {"id": order["id"], "operation": order["operation"], "changed": True, "failed": False, "state": "running"}
    if "{bad}" in order["id"]:
        item.update(failed=True, error={"code": "minicloud.hypervisor.failed", "message": "no such network"})
    results.append(item)
module.exit_json(changed=True, results=results)
"""

ANSWER = """
    - name: Answer
      answer:
        orders: "{{ minicloud_orders }}"
"""
SLOW = """
    - name: Work
      ansible.builtin.command: sleep 1.5
    - name: Answer
      answer:
        orders: "{{ minicloud_orders }}"
"""
HANG = """
    - name: Hang
      ansible.builtin.command: sleep 300
"""
# A child that leaves its session, its group and its environment behind.
ESCAPE = """
    - name: Leave a child behind
      ansible.builtin.shell: |
        env -i setsid -f sleep 300
        exec sleep 300
"""
SILENT = """
    - name: Say nothing of use
      ansible.builtin.command: "true"
"""
FAIL = """
    - name: Fail
      ansible.builtin.command: "false"
"""


def write(
    folder: Path, tasks: str, *, bad: str = "nothing", name: str = "create_vm.yml", connection: str = "local"
) -> Path:
    """Write a playbook and the module that it answers by.

    :param bad: what an order's id contains that is to fail.
    :param connection: how hosts are reached; as a rule every host is this machine.
    :returns: the playbook's path.
    """
    library = folder / "library"
    library.mkdir(parents=True, exist_ok=True)
    (library / "answer.py").write_text(_MODULE.replace("{bad}", bad))
    path = folder / name
    path.write_text(_HEAD.replace("{connection}", connection) + tasks)
    return path
