"""Many VMs at once over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Cloud, fields, refused

PATH = "/v1/batches"
TRIO: dict[str, Any] = {
    "vms": [{"name": "db1"}, {"name": "db2"}, {"name": "web", "cpu": 2}],
    "groups": [{"name": "db", "vms": ["db1", "db2"], "spread": ["host"]}],
}
MIXED: dict[str, Any] = {"vms": [{"name": "small"}, {"name": "big", "ram": "1T"}]}


def test_what_is_made_is_answered_as_a_create_is(cloud: Cloud) -> None:
    response = cloud.call("POST", PATH, TRIO)
    assert response.status_code == 202
    answer = response.json()
    assert (answer["created"], answer["refused"]) == (3, 0)
    assert [item["name"] for item in answer["items"]] == ["db1", "db2", "web"]
    for item in answer["items"]:
        made, there = item["vm"], cloud.get(f"/v1/vms/{item['name']}")
        assert made["changed"]
        assert "placement" not in made
        assert {name: made[name] for name in there} == there
        assert cloud.get(f"/v1/operations/{made['operation']}")["kind"] == "vm.create"
    assert answer["items"][0]["vm"]["host"] != answer["items"][1]["vm"]["host"]
    again = cloud.call("POST", PATH, TRIO)
    assert (again.json()["created"], [item["vm"]["changed"] for item in again.json()["items"]]) == (0, [False] * 3)


def test_what_is_there_and_done_with_is_200(cloud: Cloud) -> None:
    cloud.running("web", cpu=2)
    assert cloud.call("POST", PATH, {"vms": [{"name": "web", "cpu": 2}]}).status_code == 200


def test_what_may_not_be_is_a_problem_like_any_other(cloud: Cloud) -> None:
    response = cloud.call("POST", PATH, MIXED)
    assert response.status_code == 202
    small, big = response.json()["items"]
    assert "problem" not in small
    assert "vm" not in big
    problem = big["problem"]
    assert (problem["code"], problem["status"]) == ("minicloud.host.no_capacity", 409)
    assert problem["request_id"] == response.headers["x-request-id"]
    assert set(problem["details"]["hosts"]) == {"node1", "node2"}
    (record,) = cloud.get("/v1/placements?refused=true")["items"]
    assert record["name"] == "big"


def test_all_or_nothing(cloud: Cloud) -> None:
    problem = refused(cloud.call("POST", PATH, {**MIXED, "all": True}), 409, "minicloud.batch.refused")
    told = {item["name"]: item["error"]["code"] for item in problem["details"]["items"]}
    assert told == {"small": "minicloud.batch.refused", "big": "minicloud.host.no_capacity"}
    assert cloud.get("/v1/vms")["items"] == []


def test_a_dry_run_tells_where_and_writes_nothing(cloud: Cloud) -> None:
    before = cloud.rows()
    response = cloud.call("POST", f"{PATH}?dry_run=true", TRIO)
    assert response.status_code == 200
    items = response.json()["items"]
    assert cloud.rows() == before
    for item in items:
        assert (item["vm"]["id"], item["vm"]["operation"]) == ("", None)
        assert item["vm"]["placement"]["host"] == item["vm"]["host"]
    done = cloud.call("POST", PATH, TRIO).json()["items"]
    assert [item["vm"]["host"] for item in done] == [item["vm"]["host"] for item in items]


def test_one_key_makes_one_batch(cloud: Cloud) -> None:
    headers = {"Idempotency-Key": "monday"}
    first, again = (cloud.call("POST", PATH, MIXED, headers=headers) for _time in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert again.status_code == 202
    assert again.json()["items"][0] == first.json()["items"][0]
    problems = [response.json()["items"][1]["problem"] for response in (first, again)]
    assert problems[0]["detail"] == problems[1]["detail"]
    assert "details" not in problems[1]
    refused(cloud.call("POST", PATH, TRIO, headers=headers), 422, "minicloud.idempotency.key_reused")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"vms"}),
        ({"vms": [{"name": "a", "claim": "me"}, {"name": "b", "cpu": 0}]}, {"vms.0.claim", "vms.1.cpu"}),
        ({"vms": [{"name": "a"}], "groups": [{"name": "g", "vms": ["b"]}]}, {"groups.0.vms.0"}),
        ({"vms": [{"name": "a"}], "whole": True}, {"whole"}),
        ({"vms": [{"name": f"vm{number}"} for number in range(101)]}, {"vms"}),
    ],
)
def test_mistakes_are_named_by_their_paths(cloud: Cloud, body: dict[str, Any], wrong: set[str]) -> None:
    before = cloud.rows()
    assert fields(refused(cloud.call("POST", PATH, body), 422, "minicloud.input.invalid")) == wrong
    assert cloud.rows() == before


def test_projects_and_roles_confine(cloud: Cloud) -> None:
    refused(cloud.call("POST", PATH, TRIO, who="viewer"), 403, "minicloud.auth.forbidden")
    refused(cloud.call("POST", f"{PATH}?project=blue", TRIO, who="member"), 404, "minicloud.resource.not_found")
    refused(cloud.call("POST", f"{PATH}?project=nowhere", TRIO), 404, "minicloud.resource.not_found")
    assert cloud.call("POST", PATH, TRIO, who="blue").status_code == 202
    assert {vm["project"] for vm in cloud.get("/v1/vms")["items"]} == {"blue"}
