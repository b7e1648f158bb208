"""Reservations over HTTP."""

from __future__ import annotations

import pytest

from .conftest import Cloud, fields, refused

ROOM = {"cpu": 2, "ram": "1G", "ttl": 60}


def test_a_reservation_is_held_shown_and_released(cloud: Cloud) -> None:
    response = cloud.call("POST", "/v1/reservations", {**ROOM, "name": "soon"})
    assert response.status_code == 201
    made = response.json()
    assert response.headers["location"] == f"/v1/reservations/{made['id']}"
    assert (made["state"], made["name"], made["cpu"], made["ram"], made["changed"]) == ("held", "soon", 2, 1024, True)
    assert made["decision"]["host"] == made["host"]
    shown = cloud.get(f"/v1/reservations/{made['id']}")
    assert shown == {key: value for key, value in made.items() if key != "changed"}
    assert cloud.get("/v1/reservations?state=held") == {
        "items": [{key: value for key, value in shown.items() if key != "decision"}], "next": None,
    }  # fmt: skip
    again = cloud.call("POST", "/v1/reservations", {**ROOM, "name": "soon"})
    assert (again.status_code, again.json()["id"], again.json()["changed"]) == (200, made["id"], False)
    gone = cloud.call("DELETE", f"/v1/reservations/{made['id']}")
    assert (gone.status_code, gone.json()["state"], gone.json()["changed"]) == (200, "released", True)
    assert cloud.get("/v1/reservations?state=held")["items"] == []


def test_a_vm_goes_into_the_room(cloud: Cloud) -> None:
    held = cloud.call("POST", "/v1/reservations", ROOM).json()
    problem = refused(
        cloud.call("POST", "/v1/vms", {"name": "web01", "cpu": 4, "reservation": held["id"]}),
        422,
        "minicloud.input.invalid",
    )
    assert fields(problem) == {"cpu"}
    vm = cloud.create("web01", cpu=2, reservation=held["id"])
    assert vm["host"] == held["host"]
    used = cloud.get(f"/v1/reservations/{held['id']}")
    assert (used["state"], used["vm"]) == ("used", vm["id"])
    other = {"name": "web02", "reservation": held["id"]}
    refused(cloud.call("POST", "/v1/vms", other), 409, "minicloud.resource.conflict")


def test_a_list_is_held_as_a_whole(cloud: Cloud) -> None:
    made = cloud.call("POST", "/v1/reservations", {"items": [ROOM, {"cpu": 1}]})
    assert made.status_code == 201
    assert [(one["cpu"], one["state"]) for one in made.json()["items"]] == [(2, "held"), (1, "held")]
    before = cloud.rows()
    problem = refused(
        cloud.call("POST", "/v1/reservations", {"items": [ROOM, {"cpu": 64}]}), 409, "minicloud.host.no_capacity"
    )
    assert problem["details"]["item"] == 1
    assert cloud.rows() == before


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"items": [ROOM], "cpu": 1}, {"cpu"}),
        ({"items": {}}, {"items"}),
        ({"items": [1]}, {"items"}),
        ({"items": []}, {"items"}),
        ({"items": [{"cpu": 0}, {"ttl": "x"}]}, {"items.0.cpu", "items.1.ttl"}),
        ({"ttl": 0}, {"ttl"}),
        ({"ttl": True}, {"ttl"}),
        ({"cloud_init": {"user_data": "x"}}, {"cloud_init"}),
        ({"colour": "red"}, {"colour"}),
    ],
)
def test_what_is_wrong_is_named(cloud: Cloud, body: dict[str, object], wrong: set[str]) -> None:
    before = cloud.rows()
    problem = refused(cloud.call("POST", "/v1/reservations", body), 422, "minicloud.input.invalid")
    assert fields(problem) == wrong
    assert cloud.rows() == before


def test_a_dry_run_holds_nothing(cloud: Cloud) -> None:
    before = cloud.rows()
    response = cloud.call("POST", "/v1/reservations?dry_run=true", ROOM)
    assert (response.status_code, response.json()["id"], response.json()["changed"]) == (200, "", True)
    assert len(response.json()["decision"]["accepted"]) == 2
    assert cloud.rows() == before


def test_the_same_key_answers_the_same(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = cloud.call("POST", "/v1/reservations", ROOM, headers=key)
    again = cloud.call("POST", "/v1/reservations", ROOM, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    refused(cloud.call("POST", "/v1/reservations", {"cpu": 1}, headers=key), 422, "minicloud.idempotency.key_reused")
    assert len(cloud.get("/v1/reservations")["items"]) == 1


def test_another_projects_reservation_does_not_exist(cloud: Cloud) -> None:
    held = cloud.call("POST", "/v1/reservations", ROOM, who="member").json()
    for method in ("GET", "DELETE"):
        path = f"/v1/reservations/{held['id']}"
        refused(cloud.call(method, path, who="blue"), 404, "minicloud.resource.not_found")
    assert cloud.get("/v1/reservations", who="blue")["items"] == []
    taken = {"name": "web01", "reservation": held["id"]}
    refused(cloud.call("POST", "/v1/vms", taken, who="blue"), 422, "minicloud.input.invalid")
    refused(cloud.call("POST", "/v1/reservations", ROOM, who="viewer"), 403, "minicloud.auth.forbidden")
    assert cloud.get(f"/v1/reservations/{held['id']}", who="viewer")["state"] == "held"


def test_metrics_count_reservations_by_state(cloud: Cloud) -> None:
    cloud.call("POST", "/v1/reservations", ROOM)
    cloud.call("POST", "/v1/reservations", {**ROOM, "ttl": 600})
    assert 'minicloud_reservations{state="held"} 2.0' in cloud.http.get("/metrics").text
    cloud.world.clock.advance(60)
    figures = cloud.http.get("/metrics").text
    assert 'minicloud_reservations{state="held"} 1.0' in figures
    assert 'minicloud_reservations{state="expired"} 1.0' in figures
