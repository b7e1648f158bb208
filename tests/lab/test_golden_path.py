"""The main job on real hosts: a VM is created, listed, moved while it runs, and deleted without a trace."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from minicloud.client import ApiError, Client

from tests.lab.console import assert_one_life, beats
from tests.lab.fleet import Fleet

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

GONE_SOON = 90


def post(fleet: Fleet, path: str, body: str, **headers: str) -> httpx.Response:
    """What `curl -d` sends: no JSON content type."""
    return httpx.post(
        f"{fleet.service.url}{path}",
        content=body.encode(),
        headers={
            "Authorization": f"Bearer {fleet.service.token}",
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        },
        timeout=150,
    )


def console(client: Client, vm: str) -> str:
    return client.vms.console(vm)


def await_beats(fleet: Fleet, vm: str, count: int) -> str:
    """Wait until the guest's console shows so many heartbeats; the console."""
    return fleet.until(
        lambda: text if len(beats(text := console(fleet.client, vm))) >= count else None,
        f"{count} heartbeats of {vm}",
        timeout=60,
        state=lambda: repr(console(fleet.client, vm)[-400:]),
        pause=0.5,
    )


def test_create_answers_at_once_and_the_vm_runs(fleet: Fleet, new_name: Callable[[], str]) -> None:
    name = new_name()
    started = time.monotonic()
    answer = post(fleet, "/v1/vms", f'{{"name":"{name}"}}')
    accepted = time.monotonic() - started
    assert answer.status_code == 202
    vm = answer.json()
    assert vm["status"] == "provisioning"
    assert vm["host"] in fleet.hosts
    assert vm["operation"].startswith("op-")
    fleet.await_vm(name, "running")
    print(f"\ncreate: accepted in {accepted * 1000:.0f} ms, running after {time.monotonic() - started:.2f} s")
    assert fleet.copies(vm["id"]) == [vm["host"]]
    assert vm["name"] in {item["name"] for item in fleet.client.vms.list()}
    await_beats(fleet, name, 1)


def test_create_with_patience_answers_with_the_running_vm(fleet: Fleet, new_name: Callable[[], str]) -> None:
    name = new_name()
    answer = post(fleet, "/v1/vms", f'{{"name":"{name}","cpu":2,"ram":"1G"}}', Prefer="wait=60")
    assert answer.status_code == 201, answer.text
    vm = answer.json()
    assert (vm["status"], vm["cpu"], vm["ram"]) == ("running", 2, 1024)
    assert fleet.copies(vm["id"]) == [vm["host"]]


def test_the_same_create_again_is_the_same_vm(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    spec = {"name": new_name(), "ram": 128}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _number: client.vms.create(spec), range(10)))
    assert len({vm["id"] for vm in answers}) == 1
    vm = fleet.await_vm(spec["name"], "running")
    assert client.vms.create(spec, idempotency_key=f"key-{vm['id']}")["id"] == vm["id"]
    assert len(list(client.vms.list(name=vm["name"]))) == 1
    assert len(fleet.copies(vm["id"])) == 1
    with pytest.raises(ApiError) as caught:
        client.vms.create({**spec, "ram": 256})
    assert caught.value.status == 409
    assert caught.value.code == "minicloud.vm.exists_with_other_spec"
    assert caught.value.details["differences"]["ram_mib"] == {"existing": 128, "requested": 256}


def test_live_migration_leaves_the_guest_alone(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    vm = client.vms.create({"name": name, "ram": 128}, wait=60)
    source = vm["host"]
    before = beats(await_beats(fleet, name, 3))
    started = time.monotonic()
    moving = client.vms.change(name, "migrate")
    operation = client.operations.wait(moving["operation"], timeout=180)
    seconds = time.monotonic() - started
    assert operation["state"] == "succeeded", operation
    after = client.vms.get(name)
    assert after["host"] not in (None, source)
    assert after["host"] == operation["destination"]
    assert after["status"] == "running"
    assert fleet.copies(vm["id"]) == [after["host"]]
    assert vm["id"] not in fleet.domains(source)
    # The log moves along with the VM; whatever the guest wrote in the moment of the move may be torn.
    story = beats(await_beats(fleet, name, len(beats(console(client, name))) + 3))
    assert story[: len(before)] == before
    assert_one_life(story, torn=1)
    assert story[-1].uptime > before[-1].uptime + seconds - 1
    assert operation["reasons"], "an operation says why it is"
    assert operation["command"].startswith("ansible-playbook playbooks/migrate_vm.yml")
    assert f"host={after['host']}" in operation["command"]
    print(f"\nmigration {source} to {after['host']}: {seconds:.2f} s, {operation['result']}")
    print(f"guest: {before[-1]} before, {story[-1]} after")


def test_migration_to_a_named_host_and_back(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    first = client.vms.create({"name": name, "ram": 128, "disks": ["64M"]}, wait=60)["host"]
    assert first is not None
    other = next(host for host in fleet.hosts if host != first)
    for destination in (other, first):
        operation = client.operations.wait(
            client.vms.change(name, "migrate", host=destination)["operation"], timeout=180
        )
        assert operation["state"] == "succeeded", operation
        assert client.vms.get(name)["host"] == destination
    assert fleet.copies(client.vms.get(name)["id"]) == [first]


def test_power_verbs_end_in_the_state_they_name(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    vm = client.vms.create({"name": name, "ram": 128}, wait=60)
    await_beats(fleet, name, 1)
    for verb, status, seen in (
        ("pause", "paused", "paused"),
        ("resume", "running", "running"),
        ("stop", "stopped", "shut off"),
        ("start", "running", "running"),
        ("reset", "running", "running"),
    ):
        operation = client.operations.wait(client.vms.change(name, verb)["operation"], timeout=90)
        assert operation["state"] == "succeeded", (verb, operation)
        assert client.vms.get(name)["status"] == status, verb
        assert fleet.virsh(vm["host"], "domstate", vm["id"]).strip() == seen, verb


def test_delete_leaves_nothing(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    vm = client.vms.create({"name": name, "ram": 128, "disks": ["64M", "32M"]}, wait=60)
    host, uuid = vm["host"], vm["uuid"]
    await_beats(fleet, name, 1)
    traces = ("find", "/var/lib/libvirt/images", "/var/lib/minicloud/console", "-type", "f")
    held = fleet.ssh(host, *traces)
    assert uuid in held or vm["id"] in held, f"the VM should have had volumes and a log: {held}"
    operation = client.operations.wait(client.vms.delete(name)["operation"], timeout=90)
    assert operation["state"] == "succeeded", operation
    assert vm["id"] not in fleet.domains(host)
    left = fleet.ssh(host, *traces)
    assert uuid not in left
    assert f"{vm['id']}-" not in left and f"{vm['id']}." not in left
    assert name not in {item["name"] for item in client.vms.list()}
    again = client.vms.create({"name": name, "ram": 128}, wait=60)
    assert again["id"] != vm["id"], "a name is free again; an id is used once"


def test_vm_too_big_for_every_host_is_refused_with_each_hosts_reason(
    fleet: Fleet, client: Client, new_name: Callable[[], str]
) -> None:
    with pytest.raises(ApiError) as caught:
        client.vms.create({"name": new_name(), "ram": "8T"})
    assert caught.value.code == "minicloud.host.no_capacity"
    assert set(caught.value.details["hosts"]) == set(fleet.hosts)
    for reasons in caught.value.details["hosts"].values():
        assert any(reason["rule"] == "memory" and reason["numbers"] for reason in reasons)
