"""Hosts and the service die at the worst moment; every VM runs exactly once all the same."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Literal

import pytest
from minicloud.client import Client, ClientError
from minicloud.client.vm import Vm

from tests.lab.fleet import Fleet

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Moment:
    """When to kill: ``delay`` seconds after the request was sent, was answered, or its run has begun."""

    after: Literal["sent", "answered", "running"]
    delay: float

    def __str__(self) -> str:
        return f"{self.delay} s after {self.after}"


# Seeded, so that a failure can be had again. A run takes a second or two; three moments are spread over it.
_CHANCE = random.Random(20261121)
MOMENTS = [
    Moment("sent", round(_CHANCE.uniform(0.0, 0.01), 4)),
    Moment("sent", round(_CHANCE.uniform(0.05, 0.3), 4)),
    Moment("answered", 0.0),
    *(Moment("running", round(0.5 * (number + _CHANCE.random()), 3)) for number in range(3)),
]


def test_host_dies_between_placement_and_start(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    vm, dead = _create_on_a_dying_host(fleet, client, new_name)
    died = time.monotonic()
    try:
        fleet.await_vm(vm["id"], "running", timeout=180)
        seconds = time.monotonic() - died
        now = client.vms.get(vm["id"])
        others = [host for host in fleet.hosts if host != dead]
        assert now["host"] in others
        assert fleet.copies(vm["id"], hosts=others) == [now["host"]]
        created = next(client.operations.list(vm=vm["id"], kind="vm.create"))
        assert created["state"] == "succeeded"
        words = " ".join(reason["message"] for reason in created["reasons"])
        assert dead in words, f"the operation should say why the VM is not on {dead}: {created['reasons']}"
        print(f"\n{dead} died after placement; running on {now['host']} {seconds:.1f} s later, because: {words}")
    finally:
        fleet.power("start", dead)
        fleet.await_hosts(timeout=180)
    _assert_no_second_copy(fleet, vm["id"], now["host"])


def _create_on_a_dying_host(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> tuple[Vm, str]:
    """A VM whose host lost its power after placement and before the domain ran; a too quick create is tried again."""
    for _attempt in range(3):
        vm = client.vms.create({"name": new_name(), "ram": 128})
        host = vm["host"]
        assert host is not None
        fleet.power("off", host)
        if client.operations.get(str(vm["operation"]))["state"] != "succeeded":
            return vm, host
        fleet.power("start", host)
        fleet.await_hosts(timeout=180)
    raise AssertionError("the create was done before the host could be killed, three times")


def _assert_no_second_copy(fleet: Fleet, vm: str, home: str | None) -> None:
    """The host that came back may hold no copy, now or after further passes of the reconciler."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert fleet.copies(vm) == [home]
        time.sleep(1)
    assert [host for host in fleet.hosts if vm in fleet.domains(host)] == [home]


class Request:
    """A create under way in a thread; its answer, if there ever was one."""

    def __init__(self, fleet: Fleet, name: str, key: str) -> None:
        self.answer: Vm | None = None
        self._thread = Thread(target=self._send, args=(fleet, name, key), daemon=True)
        self._thread.start()

    def _send(self, fleet: Fleet, name: str, key: str) -> None:
        try:
            with Client(fleet.service.url, fleet.service.token, tries=1) as client:
                self.answer = client.vms.create({"name": name, "ram": 128}, idempotency_key=key)
        except ClientError:
            return

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_service_killed_during_a_create(
    fleet: Fleet, client: Client, new_name: Callable[[], str], moment: Moment
) -> None:
    name, key = new_name(), f"kill-{time.time_ns()}"
    request = Request(fleet, name, key)
    state = _await_moment(fleet, request, moment)
    fleet.service.kill()
    request.join()
    fleet.service.start()
    restarted = time.monotonic()
    known = list(client.vms.list(name=name))
    assert len(known) <= 1
    assert known or request.answer is None, "an acknowledged VM is forgotten"
    if known:
        fleet.await_vm(name, "running", timeout=90)
    took = time.monotonic() - restarted
    answered = "answered" if request.answer else "not answered"
    print(f"\nkilled {moment} ({state}, {answered}), {len(known)} kept; running {took:.1f} s after the restart")
    again = client.vms.create({"name": name, "ram": 128}, idempotency_key=key, wait=60)
    assert not known or again["id"] == known[0]["id"], "the same key makes the same VM"
    vm = fleet.await_vm(name, "running", timeout=60)
    assert fleet.copies(vm["id"]) == [vm["host"]]
    assert [host for host in fleet.hosts if vm["id"] in fleet.domains(host)] == [vm["host"]]


def _await_moment(fleet: Fleet, request: Request, moment: Moment) -> str:
    """Wait for the moment; the operation's state then."""
    operation = ""
    if moment.after != "sent":
        request.join()
        assert request.answer is not None
        operation = str(request.answer["operation"])
    if moment.after == "running":
        fleet.until(
            lambda: fleet.client.operations.get(operation)["state"] in ("running", "succeeded"),
            "the run has begun",
            timeout=30,
            pause=0.02,
        )
    time.sleep(moment.delay)
    return fleet.client.operations.get(operation)["state"] if operation else "unknown"


def test_service_killed_during_a_migration(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> None:
    name = new_name()
    vm = client.vms.create({"name": name, "ram": 128}, wait=60)
    moving = client.vms.change(name, "migrate")
    time.sleep(1.0)
    fleet.service.kill()
    fleet.service.start()
    ended = client.operations.wait(str(moving["operation"]), timeout=150)
    assert ended["state"] == "succeeded", ended
    now = fleet.await_vm(name, "running")
    assert now["host"] == ended["destination"] != vm["host"]
    assert fleet.copies(vm["id"]) == [now["host"]]


def test_service_stops_in_order(fleet: Fleet) -> None:
    try:
        started = time.monotonic()
        assert fleet.service.stop() == 0
        print(f"\nstopped in {time.monotonic() - started:.1f} s")
    finally:
        fleet.service.start()
