"""VMs over HTTP: what the transcript promises, and what it does not say aloud."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from minicloud.services.view.observation import NumaObservation
from minicloud_core.scheduler.policy import BALANCED

from .conftest import Cloud, fields, refused


def test_the_transcript_holds(cloud: Cloud) -> None:
    response = cloud.http.post(
        "/v1/vms",
        content=b'{"name":"web01"}',
        headers={
            "Authorization": f"Bearer {cloud.tokens['admin']}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    assert response.status_code == 202
    assert response.text.startswith('{"id":"vm-101","name":"web01","status":"provisioning","host":"node')
    vm = response.json()
    assert response.headers["location"] == "/v1/vms/vm-101"
    assert vm["operation"].startswith("op-")
    assert (vm["cpu"], vm["ram"], vm["image"], vm["project"]) == (1, 512, "tiny", "default")
    assert vm["changed"] is True


def test_a_vm_is_found_by_id_and_by_name(cloud: Cloud) -> None:
    created = cloud.create("web01", cpu=2, ram="1G", labels={"tier": "web"})
    by_id, by_name = cloud.get(f"/v1/vms/{created['id']}"), cloud.get("/v1/vms/web01")
    assert by_id == by_name
    assert (by_id["cpu"], by_id["ram"], by_id["labels"]) == (2, 1024, {"tier": "web"})
    assert list(by_id) == [key for key in created if key not in ("changed", "placement")]


def test_the_same_create_again_answers_the_same_vm(cloud: Cloud) -> None:
    first = cloud.create()
    again = cloud.call("POST", "/v1/vms", {"name": "web01"})
    assert again.status_code == 202
    assert again.json()["id"] == first["id"]
    assert again.json()["changed"] is False
    cloud.world.carry_out("running")
    later = cloud.call("POST", "/v1/vms", {"name": "web01", "ram": "512M"})
    assert later.status_code == 200
    assert (later.json()["id"], later.json()["status"]) == (first["id"], "running")
    assert len(cloud.get("/v1/vms")["items"]) == 1


def test_another_spec_under_the_same_name_is_a_conflict_that_says_what_differs(cloud: Cloud) -> None:
    cloud.create()
    before = cloud.rows()
    problem = refused(
        cloud.call("POST", "/v1/vms", {"name": "web01", "cpu": 3}), 409, "minicloud.vm.exists_with_other_spec"
    )
    assert problem["details"]["differences"] == {"cpu": {"existing": 1, "requested": 3}}
    assert cloud.rows() == before


def test_ten_at_once_make_one_vm(cloud: Cloud) -> None:
    def post(_number: int) -> tuple[int, str]:
        response = cloud.call("POST", "/v1/vms", {"name": "web01"})
        return response.status_code, response.json()["id"]

    with ThreadPoolExecutor(10) as pool:
        answers = set(pool.map(post, range(10)))
    assert answers == {(202, "vm-101")}
    assert len(cloud.get("/v1/vms")["items"]) == 1
    assert len(cloud.get("/v1/operations")["items"]) == 1


def test_an_idempotency_key_answers_the_same_and_only_for_the_same_body(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "k1"}
    first = cloud.call("POST", "/v1/vms", {"name": "web01"}, headers=key)
    again = cloud.call("POST", "/v1/vms", {"name": "web01"}, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    refused(cloud.call("POST", "/v1/vms", {"name": "web02"}, headers=key), 422, "minicloud.idempotency.key_reused")
    assert [vm["name"] for vm in cloud.get("/v1/vms")["items"]] == ["web01"]


def test_a_key_is_not_shared_between_projects_or_vms(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "k1"}
    mine = cloud.call("POST", "/v1/vms", {"name": "web01"}, headers=key, who="member")
    theirs = cloud.call("POST", "/v1/vms", {"name": "web01"}, headers=key, who="blue")
    assert mine.json()["id"] != theirs.json()["id"]
    cloud.world.claim()
    refused(cloud.call("POST", "/v1/vms/vm-101/start", headers={"Idempotency-Key": "k2"}), 409, "minicloud.vm.busy")


def test_an_idempotency_key_of_no_characters_is_refused(cloud: Cloud) -> None:
    problem = refused(
        cloud.call("POST", "/v1/vms", {"name": "web01"}, headers={"Idempotency-Key": ""}),
        422,
        "minicloud.input.invalid",
    )
    assert fields(problem) == {"Idempotency-Key"}


BAD: tuple[tuple[dict[str, Any], set[str]], ...] = (
    ({}, {"name"}),
    ({"name": "web/01"}, {"name"}),
    ({"name": "{{ lookup('pipe', 'id') }}"}, {"name"}),
    ({"name": "WEB01"}, {"name"}),
    ({"name": ["web01"]}, {"name"}),
    ({"name": "web01", "cpu": -1}, {"cpu"}),
    ({"name": "web01", "cpu": 0, "ram": "1P"}, {"cpu", "ram"}),
    ({"name": "web01", "ram": "1PiB"}, {"ram"}),
    ({"name": "web01", "ram": 10**300}, {"ram"}),
    ({"name": "web01", "ram": "9" * 400}, {"ram"}),
    ({"name": "web01", "colour": "red"}, {"colour"}),
    ({"name": "web01", "image": "no-such-image"}, {"image"}),
    ({"name": "web01", "image": "{{ image }}"}, {"image"}),
    ({"name": "web01", "disks": [{"size": "1G", "pool": "../etc"}]}, {"disks.0.pool"}),
    ({"name": "web01", "labels": {"a b": "c"}}, {"labels.a b"}),
    ({"name": "web01", "host": "no/host"}, {"host"}),
    ({"name": "web01", "claim": ""}, {"claim"}),
    ({"name": "web01", "claim": 3}, {"claim"}),
)


def test_bad_input_names_the_field_and_changes_nothing(cloud: Cloud) -> None:
    before = cloud.rows()
    for body, wrong in BAD:
        problem = refused(cloud.call("POST", "/v1/vms", body), 422, "minicloud.input.invalid")
        assert fields(problem) == wrong, body
        assert all(error["message"] for error in problem["errors"]), body
    assert cloud.rows() == before


def test_a_vm_too_big_for_every_host_is_refused_with_each_hosts_reason(cloud: Cloud) -> None:
    before = cloud.rows()
    problem = refused(cloud.call("POST", "/v1/vms", {"name": "web01", "ram": "64G"}), 409, "minicloud.host.no_capacity")
    told = str(problem["details"])
    assert "node1" in told
    assert "node2" in told
    # Nothing is made; why not is kept.
    assert cloud.rows() == {**before, "placements": 1}


def test_a_dry_run_tells_and_changes_nothing(cloud: Cloud) -> None:
    before = cloud.rows()
    response = cloud.call("POST", "/v1/vms?dry_run=true", {"name": "web01"}, headers={"Idempotency-Key": "k1"})
    assert response.status_code == 200
    answer = response.json()
    assert answer["host"] in ("node1", "node2")
    assert answer["placement"]["host"] == answer["host"]
    assert (answer["id"], answer["operation"], answer["changed"]) == ("", None, True)
    assert cloud.rows() == before


def test_a_member_creates_in_its_project_and_an_admin_where_it_says(cloud: Cloud) -> None:
    assert cloud.call("POST", "/v1/vms", {"name": "web01"}, who="blue").json()["project"] == "blue"
    assert cloud.call("POST", "/v1/vms?project=blue", {"name": "web02"}).json()["project"] == "blue"
    refused(
        cloud.call("POST", "/v1/vms?project=default", {"name": "web03"}, who="blue"),
        404,
        "minicloud.resource.not_found",
    )
    refused(cloud.call("POST", "/v1/vms?project=green", {"name": "web03"}), 404, "minicloud.resource.not_found")


def test_lists_filter_and_come_by_page(cloud: Cloud) -> None:
    for number in range(1, 6):
        cloud.create(f"web0{number}", labels={"tier": "web" if number % 2 else "db"}, host=f"node{number % 2 + 1}")
    cloud.call("POST", "/v1/vms", {"name": "web01"}, who="blue")
    seen, cursor = [], ""
    while True:
        page = cloud.get(f"/v1/vms?limit=2{cursor}")
        assert len(page["items"]) <= 2
        seen += [vm["id"] for vm in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 6
    assert {vm["name"] for vm in cloud.get("/v1/vms?label=tier=db")["items"]} == {"web02", "web04"}
    assert len(cloud.get("/v1/vms?host=node1&project=default")["items"]) == 2
    assert len(cloud.get("/v1/vms?name=web01")["items"]) == 2
    assert len(cloud.get("/v1/vms?name=web01", who="member")["items"]) == 1
    assert cloud.get("/v1/vms?status=running")["items"] == []


def test_a_bad_query_is_told_by_its_parameter(cloud: Cloud) -> None:
    for query in ("limit=0", "limit=501", "limit=x", "cursor=x", "cursor=%F0%9F%98%80", "label=x"):
        problem = refused(cloud.call("GET", f"/v1/vms?{query}"), 422, "minicloud.input.invalid")
        assert fields(problem) == {query.partition("=")[0]}


def test_a_verb_is_accepted(cloud: Cloud) -> None:
    verbs = {"stop": "stopping", "reboot": "rebooting", "reset": "rebooting", "pause": "pausing"}
    for number, (verb, status) in enumerate(verbs.items()):
        vm = cloud.running(f"web{number}")
        response = cloud.call("POST", f"/v1/vms/{vm['id']}/{verb}")
        assert response.status_code == 202
        assert response.json()["status"] == status
        operation = cloud.get(f"/v1/operations/{response.json()['operation']}")
        assert (operation["kind"], operation["vm"]) == (f"vm.{verb}", vm["id"])
        assert "ansible-playbook" in operation["command"]
        cloud.world.carry_out("running" if status == "rebooting" else "stopped" if verb == "stop" else "paused")


def test_stop_start_pause_and_resume_lead_back(cloud: Cloud) -> None:
    cloud.running()
    for verb, state in (("stop", "stopped"), ("start", "running"), ("pause", "paused"), ("resume", "running")):
        assert cloud.call("POST", f"/v1/vms/web01/{verb}").status_code == 202
        cloud.world.carry_out(state)
        assert cloud.get("/v1/vms/web01")["status"] == state


def test_a_verb_with_nothing_to_do_says_so(cloud: Cloud) -> None:
    cloud.running()
    response = cloud.call("POST", "/v1/vms/web01/start")
    assert response.status_code == 200
    assert (response.json()["changed"], response.json()["operation"]) == (False, None)


def test_a_second_verb_finds_the_vm_busy(cloud: Cloud) -> None:
    cloud.running()
    cloud.call("POST", "/v1/vms/web01/stop")
    refused(cloud.call("POST", "/v1/vms/web01/reboot"), 409, "minicloud.vm.busy")


def test_a_verb_that_makes_no_sense_says_what_would(cloud: Cloud) -> None:
    cloud.running()
    cloud.call("POST", "/v1/vms/web01/stop")
    cloud.world.carry_out("stopped")
    problem = refused(cloud.call("POST", "/v1/vms/web01/pause"), 409, "minicloud.state.illegal_transition")
    assert problem["hint"]


def test_a_verbs_arguments_are_checked(cloud: Cloud) -> None:
    cloud.running()
    problem = refused(cloud.call("POST", "/v1/vms/web01/stop", {"graceful": -1}), 422, "minicloud.input.invalid")
    assert fields(problem) == {"graceful"}
    problem = refused(cloud.call("POST", "/v1/vms/web01/start", {"force": True}), 422, "minicloud.input.invalid")
    assert fields(problem) == {"force"}
    assert cloud.call("POST", "/v1/vms/web01/stop", {"graceful": 3}).status_code == 202


def test_a_dry_verb_changes_nothing(cloud: Cloud) -> None:
    cloud.running()
    before = cloud.rows()
    for verb in ("stop", "reboot", "migrate"):
        response = cloud.call("POST", f"/v1/vms/web01/{verb}?dry_run=true")
        assert response.status_code == 200, response.text
        assert response.json()["changed"] is True
    assert cloud.call("DELETE", "/v1/vms/web01?dry_run=true").status_code == 200
    assert cloud.rows() == before
    assert cloud.get("/v1/vms/web01")["status"] == "running"


def test_migrate_goes_where_it_is_told_or_where_it_is_best(cloud: Cloud) -> None:
    there = cloud.running()["host"]
    other = "node2" if there == "node1" else "node1"
    response = cloud.call("POST", "/v1/vms/web01/migrate", {"host": other})
    assert response.status_code == 202
    operation = cloud.get(f"/v1/operations/{response.json()['operation']}")
    assert (operation["kind"], operation["host"], operation["destination"]) == ("vm.migrate", there, other)
    cloud.world.carry_out("running")
    assert cloud.get("/v1/vms/web01")["host"] == other
    back = cloud.call("POST", "/v1/vms/web01/migrate")
    assert back.status_code == 202
    assert back.json()["placement"]["host"] == there


def test_a_deleted_vm_is_gone_and_its_name_free(cloud: Cloud) -> None:
    first = cloud.running()
    assert cloud.call("DELETE", "/v1/vms/web01").status_code == 202
    cloud.world.carry_out("absent")
    refused(cloud.call("GET", "/v1/vms/web01"), 404, "minicloud.resource.not_found")
    assert cloud.create("web01")["id"] != first["id"]


def test_what_is_not_there_is_not_found(cloud: Cloud) -> None:
    for method, path in (
        ("GET", "/v1/vms/nope"),
        ("DELETE", "/v1/vms/vm-999"),
        ("POST", "/v1/vms/nope/start"),
        ("GET", "/v1/vms/nope/placement"),
        ("GET", "/v1/vms/nope/console"),
        ("GET", "/v1/vms/%F0%9F%98%80"),
    ):
        refused(cloud.call(method, path), 404, "minicloud.resource.not_found")


def test_a_placement_is_explained(cloud: Cloud) -> None:
    vm = cloud.create()
    placements = cloud.get("/v1/vms/web01/placement")["items"]
    assert placements[0]["host"] == vm["host"]
    assert placements[0]["operation"] == vm["operation"]
    assert placements[0]["policy_version"] == placements[0]["decision"]["policy_version"] == BALANCED.version
    assert set(str(placements[0]["decision"])) >= set("node")
    assert all(host in str(placements[0]["decision"]) for host in ("node1", "node2"))


def test_a_placement_can_be_asked_for_alone(cloud: Cloud) -> None:
    before = cloud.rows()
    answer = cloud.call("POST", "/v1/placements?dry_run=true", {"name": "web01"})
    assert answer.status_code == 200
    assert answer.json()["host"] in ("node1", "node2")
    refusal = cloud.call("POST", "/v1/placements", {"name": "web01", "ram": "64G"})
    assert refusal.status_code == 200
    assert refusal.json()["host"] is None
    assert cloud.rows() == before


def test_a_console_is_read_off_the_vms_host(cloud: Cloud) -> None:
    vm = cloud.running()
    response = cloud.call("GET", "/v1/vms/web01/console?tail=5")
    assert response.text == "2.14\n"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert cloud.tape.asked == [(vm["host"], vm["uuid"], 5)]


def test_a_claimed_create_carries_the_whole_order(cloud: Cloud) -> None:
    response = cloud.call("POST", "/v1/vms", {"name": "web01", "claim": "somebody@terminal"})
    assert response.status_code == 202
    answer = response.json()
    assert answer["lease"]["epoch"] == answer["order"]["epoch"]
    assert answer["order"]["id"] == answer["id"]
    assert answer["order"]["image"]["files"][0]["url"].startswith("http://")
    assert (answer["connection"]["name"], answer["connection"]["user"]) == (answer["host"], "root")
    assert cloud.get(f"/v1/operations/{answer['operation']}")["lease_owner"] == "somebody@terminal"
    assert cloud.world.claim() == ()


def test_a_claimed_migration_names_both_ends(cloud: Cloud) -> None:
    vm = cloud.running()
    answer = cloud.call("POST", "/v1/vms/web01/migrate", {"claim": "me"}).json()
    assert answer["connection"]["name"] == vm["host"]
    assert answer["destination"]["name"] != vm["host"]
    assert answer["image_order"]["name"] == "tiny"


def test_only_a_claim_shows_the_order(cloud: Cloud) -> None:
    answer = cloud.create()
    assert not {"order", "connection", "destination", "image_order", "lease"} & set(answer)


def test_vms_that_keep_apart_are_placed_apart_and_then_refused_with_the_rule(cloud: Cloud) -> None:
    asked = {"group": "db", "anti_affinity": ["group:db"], "priority": 5}
    first, second = (cloud.create(name, scheduling=asked) for name in ("db1", "db2"))
    assert {first["host"], second["host"]} == {"node1", "node2"}
    assert cloud.get("/v1/vms/db1")["scheduling"] == asked
    problem = refused(
        cloud.call("POST", "/v1/vms", {"name": "db3", "scheduling": asked}), 409, "minicloud.host.no_capacity"
    )
    assert {reason["rule"] for reasons in problem["details"]["hosts"].values() for reason in reasons} == {
        "anti_affinity"
    }
    near = cloud.create("cache", scheduling={"affinity": ["vm:db1"]})
    assert near["host"] == first["host"]


def test_a_vm_is_what_it_asked_to_be(cloud: Cloud) -> None:
    nodes = (NumaObservation(0, 2, 4096, 1024), NumaObservation(1, 2, 4096))
    cloud.world.observe("node2", numa=nodes, machines=("pc-q35-7.2", "q35"))
    asked = {"machine": "q35", "numa": 1, "huge_pages": True, "pinned": True}
    made = cloud.create("fast", cpu=2, scheduling=asked)
    assert (made["host"], cloud.get("/v1/vms/fast")["scheduling"]) == ("node2", asked)
    order = cloud.world.claim_one().order
    assert {name: order[name] for name in asked} == {**asked, "numa": [0]}


def test_what_is_wrong_with_a_place_is_refused_by_its_path(cloud: Cloud) -> None:
    before = cloud.rows()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"afinity": ["vm:a"]}, "scheduling.afinity"),
        ({"affinity": ["web01"]}, "scheduling.affinity.0"),
        ({"affinity": ["vm:nobody"]}, "scheduling.affinity.0"),
        ({"affinity": ["tier=a"], "anti_affinity": ["tier=a"]}, "scheduling.anti_affinity"),
        ({"spread": ["rack"]}, "scheduling.spread.0"),
        ({"priority": 1001}, "scheduling.priority"),
        ({"machine": "microvm"}, "scheduling.machine"),
        ({"numa": 2}, "scheduling.numa"),
    ]
    for asked, field in wrong:
        body = {"name": "db1", "scheduling": asked}
        for path in ("/v1/vms", "/v1/vms?dry_run=true", "/v1/placements"):
            assert fields(cloud.call("POST", path, body).json()) == {field}, path
    assert cloud.rows() == before
