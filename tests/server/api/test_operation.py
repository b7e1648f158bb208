"""Operations over HTTP, and the terminal's side of a claim."""

from __future__ import annotations

from minicloud.services import operation
from minicloud.services.view.operation import Entry

from .conftest import Cloud, fields, refused


def test_operations_are_listed_newest_first_and_filtered(cloud: Cloud) -> None:
    for number in range(3):
        cloud.running(f"web0{number}")
    stop = cloud.call("POST", "/v1/vms/web01/stop").json()["operation"]
    everything = cloud.get("/v1/operations")["items"]
    assert everything[0]["id"] == stop
    assert len(everything) == 4
    assert [one["id"] for one in cloud.get("/v1/operations?state=queued")["items"]] == [stop]
    assert len(cloud.get("/v1/operations?vm=web01")["items"]) == 2
    assert len(cloud.get("/v1/operations?kind=vm.create")["items"]) == 3
    first = cloud.get("/v1/operations?limit=3")
    assert len(cloud.get(f"/v1/operations?limit=3&cursor={first['next']}")["items"]) == 1


def test_an_operation_tells_its_story(cloud: Cloud) -> None:
    created = cloud.create()
    shown = cloud.get(f"/v1/operations/{created['operation']}")
    assert (shown["state"], shown["kind"], shown["vm"], shown["tries"]) == ("queued", "vm.create", created["id"], 0)
    assert shown["finished_at"] is None
    cloud.world.carry_out("running")
    shown = cloud.get(f"/v1/operations/{created['operation']}")
    assert (shown["state"], shown["tries"], shown["result"]["state"]) == ("succeeded", 1, "running")
    assert shown["finished_at"] is not None
    assert shown["command"].startswith("ansible-playbook playbooks/create_vm.yml")


def test_log_and_events_have_what_the_run_reported(cloud: Cloud) -> None:
    created = cloud.create()
    claim = cloud.world.start(cloud.world.claim_one())
    entries = [
        Entry(cloud.world.clock.now(), "task", {"task": "Make it", "stdout": "TASK [Make it]"}),
        Entry(cloud.world.clock.now(), "stats"),
        Entry(cloud.world.clock.now(), "result", {"host": "node1", "stdout": "changed: [node1]\n"}),
    ]
    operation.append(cloud.world.ctx, [(claim, entries)])
    path = f"/v1/operations/{created['operation']}"
    log = cloud.call("GET", f"{path}/log")
    assert log.headers["content-type"].startswith("text/plain")
    assert log.text == "TASK [Make it]\nchanged: [node1]\n"
    first = cloud.get(f"{path}/events?limit=2")
    assert [one["kind"] for one in first["items"]] == ["task", "stats"]
    rest = cloud.get(f"{path}/events?limit=2&cursor={first['next']}")
    assert ([one["kind"] for one in rest["items"]], rest["next"]) == (["result"], None)


def test_a_queued_operation_is_cancelled_at_once(cloud: Cloud) -> None:
    cloud.running()
    stop = cloud.call("POST", "/v1/vms/web01/stop").json()["operation"]
    before = cloud.rows()
    dry = cloud.call("POST", f"/v1/operations/{stop}/cancel?dry_run=true")
    assert (dry.status_code, dry.json()["state"]) == (200, "queued")
    assert cloud.rows() == before
    cancelled = cloud.call("POST", f"/v1/operations/{stop}/cancel", {"reason": "changed my mind"})
    assert cancelled.json()["state"] == "cancelled"
    assert cloud.get("/v1/vms/web01")["status"] == "running"
    refused(cloud.call("POST", f"/v1/operations/{stop}/cancel"), 409, "minicloud.resource.conflict")


def test_a_terminal_renews_and_reports(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/vms", {"name": "web01", "claim": "me@terminal"}).json()
    path, epoch = f"/v1/operations/{answer['operation']}", answer["lease"]["epoch"]
    cloud.world.clock.advance(10)
    renewed = cloud.call("POST", f"{path}/lease", {"epoch": epoch, "seconds": 90})
    assert renewed.status_code == 200
    assert renewed.json()["lease_until"] > answer["lease"]["until"]
    body = {"epoch": epoch, "outcome": "succeeded", "result": {"state": "running", "changed": True}}
    assert cloud.call("POST", f"{path}/result", body).json()["state"] == "succeeded"
    assert cloud.get("/v1/vms/web01")["status"] == "running"
    # The answer may have been lost on the way: saying it again is no error.
    again = cloud.call("POST", f"{path}/result", body)
    assert (again.status_code, again.json()["state"]) == (200, "succeeded")


def test_a_terminals_failure_keeps_the_modules_words(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/vms", {"name": "web01", "claim": "me@terminal"}).json()
    path, epoch = f"/v1/operations/{answer['operation']}", answer["lease"]["epoch"]
    result = {"error": {"code": "minicloud.hypervisor.failed", "message": "no such machine type"}}
    shown = cloud.call("POST", f"{path}/result", {"epoch": epoch, "outcome": "failed", "result": result}).json()
    assert (shown["state"], shown["error"]["message"]) == ("failed", "no such machine type")
    assert cloud.get("/v1/vms/web01")["status"] == "error"


def test_an_epoch_that_is_over_changes_nothing(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/vms", {"name": "web01", "claim": "me@terminal"}).json()
    path, epoch = f"/v1/operations/{answer['operation']}", answer["lease"]["epoch"]
    cloud.world.clock.advance(120)
    operation.expire(cloud.world.ctx)
    cloud.world.claim_one()
    for verb, body in (("lease", {}), ("result", {"outcome": "succeeded"})):
        refused(cloud.call("POST", f"{path}/{verb}", {"epoch": epoch, **body}), 409, "minicloud.operation.lease_lost")
    assert cloud.get(path)["state"] == "claimed"


def test_what_a_terminal_sends_is_checked(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/vms", {"name": "web01", "claim": "me@terminal"}).json()
    path = f"/v1/operations/{answer['operation']}"
    for verb, body, wrong in (
        ("lease", {}, {"epoch"}),
        ("lease", {"epoch": "1"}, {"epoch"}),
        ("lease", {"epoch": 1, "seconds": 1e9}, {"seconds"}),
        ("result", {"epoch": 10**30, "outcome": "fine"}, {"epoch", "outcome"}),
        ("result", {"epoch": 1, "outcome": "failed", "result": []}, {"result"}),
    ):
        assert fields(refused(cloud.call("POST", f"{path}/{verb}", body), 422, "minicloud.input.invalid")) == wrong


def test_an_unknown_operation_is_not_found(cloud: Cloud) -> None:
    for path in ("op-nope", "op-nope/events", "op-nope/log"):
        refused(cloud.call("GET", f"/v1/operations/{path}"), 404, "minicloud.resource.not_found")
