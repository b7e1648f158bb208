"""Prefer: wait. The answer is held, and nothing else is."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from minicloud.api.app import THREADS
from minicloud.services import operation
from minicloud.services.view.operation import Outcome

from .conftest import Cloud, refused

WAIT = {"Prefer": "wait=20"}


def in_background(cloud: Cloud, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[Any, Any]:
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(cloud.call(method, path, body, headers=WAIT)))
    thread.start()
    end = time.monotonic() + 10
    while not (claims := cloud.world.claim()) and time.monotonic() < end:
        time.sleep(0.02)
    assert len(claims) == 1
    return claims[0], lambda: (thread.join(20), answers[0])[1]


def test_a_create_that_is_waited_for_answers_the_running_vm(cloud: Cloud) -> None:
    claim, answer = in_background(cloud, "POST", "/v1/vms", {"name": "web03", "cpu": 2, "ram": "4G"})
    cloud.world.start(claim)
    began = time.monotonic()
    cloud.world.succeed(claim, "running")
    response = answer()
    assert time.monotonic() - began < 5
    assert response.status_code == 201
    assert response.headers["preference-applied"] == "wait"
    vm = response.json()
    assert (vm["id"], vm["status"], vm["changed"]) == ("vm-101", "running", True)
    assert vm["operation"] == claim.operation


def test_a_create_that_fails_answers_why(cloud: Cloud) -> None:
    claim, answer = in_background(cloud, "POST", "/v1/vms", {"name": "web03"})
    cloud.world.start(claim)
    error = {"code": "minicloud.hypervisor.failed", "message": "no such machine type", "hint": "use q35"}
    operation.finish(cloud.world.ctx, claim, Outcome.failed(error, retry=False))
    problem = refused(answer(), 502, "minicloud.hypervisor.failed")
    assert (problem["detail"], problem["hint"]) == ("no such machine type", "use q35")
    assert problem["details"]["operation"] == claim.operation


def test_a_create_that_is_cancelled_says_so(cloud: Cloud) -> None:
    claim, answer = in_background(cloud, "POST", "/v1/vms", {"name": "web03"})
    operation.finish(cloud.world.ctx, claim, Outcome.cancelled())
    refused(answer(), 409, "minicloud.operation.cancelled")


def test_when_time_runs_out_the_answer_is_the_usual_one(cloud: Cloud) -> None:
    began = time.monotonic()
    response = cloud.call("POST", "/v1/vms", {"name": "web03"}, headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - began < 6
    assert response.status_code == 202
    assert response.json()["status"] == "provisioning"


def test_the_other_verbs_can_be_waited_for_as_well(cloud: Cloud) -> None:
    cloud.running()
    claim, answer = in_background(cloud, "POST", "/v1/vms/web01/stop")
    cloud.world.start(claim)
    cloud.world.succeed(claim, "stopped")
    response = answer()
    assert (response.status_code, response.json()["status"]) == (200, "stopped")


def test_a_delete_that_is_waited_for_answers_what_is_gone(cloud: Cloud) -> None:
    vm = cloud.running()
    claim, answer = in_background(cloud, "DELETE", "/v1/vms/web01")
    cloud.world.start(claim)
    cloud.world.succeed(claim, "absent")
    response = answer()
    assert (response.status_code, response.json()["id"], response.json()["status"]) == (200, vm["id"], "deleted")


def test_a_service_that_stops_answers_those_who_wait(cloud: Cloud) -> None:
    _claim, answer = in_background(cloud, "POST", "/v1/vms", {"name": "web03"})
    began = time.monotonic()
    cloud.room.relay.stop()
    response = answer()
    assert time.monotonic() - began < 5
    assert (response.status_code, response.json()["status"]) == (202, "provisioning")


def test_a_dry_run_is_not_waited_for(cloud: Cloud) -> None:
    began = time.monotonic()
    response = cloud.call("POST", "/v1/vms?dry_run=true", {"name": "web03"}, headers=WAIT)
    assert response.status_code == 200
    assert time.monotonic() - began < 5


def test_many_who_wait_leave_room_for_others(cloud: Cloud) -> None:
    """More waiters than the pool has threads, and hosts that have room for them."""
    for name in ("node1", "node2"):
        cloud.world.observe(name, cpu=64, ram_mib=65536)
    patient = {"Prefer": "wait=120"}
    with ThreadPoolExecutor(THREADS * 2) as pool:
        waiters = [
            pool.submit(cloud.call, "POST", "/v1/vms", {"name": f"web{number:02}"}, headers=patient)
            for number in range(THREADS * 2)
        ]
        while len(cloud.get("/v1/operations?limit=100")["items"]) < len(waiters):
            time.sleep(0.1)
        assert not [waiter for waiter in waiters if waiter.done()]
        for claim in cloud.world.claim(limit=100):
            cloud.world.succeed(cloud.world.start(claim), "running")
        assert {waiter.result(60).status_code for waiter in waiters} == {201}
