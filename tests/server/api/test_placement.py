"""The record of placements over HTTP."""

from __future__ import annotations

from .conftest import Cloud


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
