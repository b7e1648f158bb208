"""The API's description: true, in step, and whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from minicloud.api.app import create_app
from minicloud.api.routes import ROUTES

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app().openapi()


def test_the_committed_description_is_in_step(document: dict[str, Any]) -> None:
    committed = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(document)), "run scripts/openapi and commit docs/openapi.json"


def test_the_guide_names_every_route_and_no_other() -> None:
    guide = (DOCS / "api.md").read_text(encoding="utf-8").partition("## Routes")[2]
    named = {word.strip() for word in guide.split("`")[1::2] if word.split(" ")[0].isupper()}
    assert named == {f"{route.method} {route.path}" for route in ROUTES}


def test_the_guide_names_every_code_at_its_status() -> None:
    from minicloud.api.problem import STATUS

    guide = (DOCS / "api.md").read_text(encoding="utf-8")
    for kind, status in STATUS.items():
        row = next(line for line in guide.splitlines() if f"`{kind.code}`" in line and line.startswith("|"))
        assert str(status) in row.split("|")[1], kind.code


def test_every_operation_says_who_may_and_how_it_fails(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(described) == {(route.method, route.path) for route in ROUTES}
    for route in ROUTES:
        operation = described[route.method, route.path]
        assert ("security" not in operation) == route.public
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        assert operation["summary"]
        assert ("requestBody" in operation) == (route.body is not None)
        assert {int(status) for status in operation["responses"] if status != "default"} == set(route.answers)


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for item in value.values() for found in references(item)]
        return [found for item in value for found in references(item)] if isinstance(value, list) else []

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) == known


def test_it_is_served_without_a_token(url: str) -> None:
    response = httpx.get(f"{url}/v1/openapi.json")
    assert response.status_code == 200
    assert response.json()["info"]["title"] == "minicloud"
