"""The same playbooks from a terminal: placed by the same scheduler, recorded, visible; and a terminal may die."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from minicloud.client import Client

from tests.lab.fleet import Fleet
from tests.lab.service import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]


def only_operation(client: Client, vm: str, kind: str) -> dict[str, object]:
    (operation,) = client.operations.list(vm=vm, kind=kind)
    return dict(operation)


def test_create_ends_as_the_api_does(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    started = time.monotonic()
    printed = fleet.playbook("create_vm.yml", name=name, ram="128")
    print(f"\ncreate_vm.yml from a terminal: {time.monotonic() - started:.2f} s")
    vm = client.vms.get(name)
    assert vm["status"] == "running", printed
    assert fleet.copies(vm["id"]) == [vm["host"]]
    operation = only_operation(client, vm["id"], "vm.create")
    assert operation["state"] == "succeeded"
    assert operation["id"] == vm["operation"]
    assert str(operation["command"]).startswith(f"ansible-playbook playbooks/create_vm.yml -e name={name}")
    (placement,) = client.vms.placements(name)
    assert placement["decision"]["host"] == vm["host"]
    again = fleet.playbook("create_vm.yml", name=name, ram="128")
    assert client.vms.get(name)["id"] == vm["id"]
    assert "changed=0" in again
    assert [item["kind"] for item in client.operations.list(vm=vm["id"])] == ["vm.create"]


def test_power_migrate_and_destroy_from_a_terminal(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    vm = client.vms.create({"name": name, "ram": 128}, wait=60)
    fleet.playbook("power_vm.yml", name=name, state="stopped", force="true")
    assert client.vms.get(name)["status"] == "stopped"
    assert fleet.copies(vm["id"]) == []
    fleet.playbook("power_vm.yml", name=name, state="running")
    assert client.vms.get(name)["status"] == "running"
    target = next(host for host in fleet.hosts if host != vm["host"])
    fleet.playbook("migrate_vm.yml", name=name, host=target)
    assert client.vms.get(name)["host"] == target
    assert fleet.copies(vm["id"]) == [target]
    fleet.playbook("destroy_vm.yml", name=name)
    assert name not in {item["name"] for item in client.vms.list()}
    assert all(vm["id"] not in fleet.domains(host) for host in fleet.hosts)
    states = {item["kind"]: item["state"] for item in client.operations.list(vm=vm["id"])}
    assert states == dict.fromkeys(("vm.create", "vm.stop", "vm.start", "vm.migrate", "vm.delete"), "succeeded")


def test_the_line_that_an_operation_keeps_repeats_it(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    created = client.vms.create({"name": name, "ram": 128}, wait=60)
    line = client.operations.get(str(client.vms.get(name)["operation"]))["command"]
    fleet.remove(name)
    subprocess.run(line, shell=True, env=fleet.service.environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    again = client.vms.get(name)
    assert (again["status"], again["host"], again["ram"]) == ("running", created["host"], 128)


def test_service_finishes_what_a_killed_terminal_began(
    fleet: Fleet, client: Client, new_name: Callable[[], str]
) -> None:
    name = new_name()
    terminal = subprocess.Popen(
        fleet.playbook_command("create_vm.yml", name=name, ram="128"),
        env=fleet.service.environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        vm = fleet.until(
            lambda: next(client.vms.list(name=name), None), "the terminal's claim is seen", timeout=60, pause=0.02
        )
    finally:
        os.killpg(terminal.pid, signal.SIGKILL)
        terminal.wait()
    killed = time.monotonic()
    operation = client.operations.get(str(vm["operation"]))
    assert operation["state"] == "claimed", f"the terminal was too quick to be killed in time: {operation}"
    fleet.await_vm(name, "running", timeout=150)
    print(f"\nterminal killed; running {time.monotonic() - killed:.1f} s later")
    ended = client.operations.wait(operation["id"], timeout=30)
    assert ended["state"] == "succeeded"
    assert ended["tries"] == 2
    assert fleet.copies(vm["id"]) == [client.vms.get(name)["host"]]


def test_a_refusal_reaches_the_terminal_in_words(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    printed = fleet.playbook("create_vm.yml", check=False, name=name, ram="8T")
    assert "failed=1" in printed
    for host in fleet.hosts:
        assert host in printed
    assert name not in {item["name"] for item in client.vms.list()}
