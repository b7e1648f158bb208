"""The record of placements over HTTP."""

from __future__ import annotations

import pytest

from .conftest import Cloud, fields, refused


def test_what_was_decided_is_listed_newest_first(cloud: Cloud) -> None:
    cloud.create("a", scheduling={"group": "trio"})
    cloud.create("b")
    page = cloud.get("/v1/placements?limit=1")
    (latest,) = page["items"]
    assert (latest["name"], latest["policy"]) == ("b", "balanced")
    (earlier,) = cloud.get(f"/v1/placements?cursor={page['next']}")["items"]
    assert earlier["request"]["group"] == "trio"
    assert "accepted" not in earlier
    (kept,) = cloud.get("/v1/vms/a/placement")["items"]
    assert earlier["request"] == kept["decision"]["request"]


def test_a_viewer_may_read_them_and_nobody_may_without_a_token(cloud: Cloud) -> None:
    assert cloud.call("GET", "/v1/placements", who="viewer").status_code == 200
    assert cloud.call("GET", "/v1/placements", who="").status_code == 401


def test_why_a_create_was_refused_can_be_asked_later(cloud: Cloud) -> None:
    cloud.create("a")
    asked = cloud.call("POST", "/v1/vms", {"name": "big", "ram": "1T"}, who="member")
    problem = refused(asked, 409, "minicloud.host.no_capacity")
    (record,) = cloud.get("/v1/placements?refused=true")["items"]
    assert (record["name"], record["vm"], record["operation"], record["host"]) == ("big", None, None, None)
    assert (record["actor"], record["request_id"]) == ("member", problem["request_id"])
    told = cloud.get(f"/v1/placements/{record['id']}", who="viewer")
    assert {one["host"]: one["reasons"] for one in told["decision"]["refused"]} == problem["details"]["hosts"]
    assert told["decision"]["remedies"] == problem["details"]["remedies"]
    assert [one["name"] for one in cloud.get("/v1/placements?refused=false")["items"]] == ["a"]
    assert [one["name"] for one in cloud.get("/v1/placements?name=big")["items"]] == ["big"]


def test_another_projects_refusals_do_not_exist(cloud: Cloud) -> None:
    cloud.call("POST", "/v1/vms", {"name": "big", "ram": "1T"}, who="blue")
    (record,) = cloud.get("/v1/placements")["items"]
    assert cloud.get("/v1/placements", who="member")["items"] == []
    refused(cloud.call("GET", f"/v1/placements/{record['id']}", who="member"), 404, "minicloud.resource.not_found")


@pytest.mark.parametrize("path", ["/v1/placements/none", "/v1/placements/0", "/v1/placements?refused=perhaps"])
def test_what_is_no_placement_is_refused(cloud: Cloud, path: str) -> None:
    assert fields(refused(cloud.call("GET", path), 422, "minicloud.input.invalid"))


def test_a_dry_run_leaves_no_record(cloud: Cloud) -> None:
    before = cloud.rows()
    for path in ("/v1/vms?dry_run=true", "/v1/placements", "/v1/placements?dry_run=true"):
        cloud.call("POST", path, {"name": "big", "ram": "1T"})
    assert cloud.rows() == before
