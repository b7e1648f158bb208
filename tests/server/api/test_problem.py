"""Errors as problem documents: one status for each class, whoever added it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from minicloud.api.problem import MEDIA_TYPE, STATUS, answer_problem, problem_of, status_of
from minicloud_core.model import errors


def kinds(base: type[errors.MinicloudError] = errors.MinicloudError) -> Iterator[type[errors.MinicloudError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_code_belongs_to_one_class() -> None:
    codes = [kind.code for kind in kinds() if "code" in vars(kind)]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind.__module__ == errors.__name__])
def test_only_a_defect_is_a_500(kind: type[errors.MinicloudError]) -> None:
    error = kind([errors.Problem("cpu", "bad")]) if issubclass(kind, errors.InputError) else kind("what happened")
    assert status_of(error) in set(STATUS.values()) - {500}


def test_a_new_kind_of_conflict_needs_no_entry() -> None:
    class SomeConflict(errors.ConflictError):
        code = "minicloud.some.conflict"

    assert status_of(SomeConflict("x")) == 409


def test_a_problem_has_all_that_its_reader_needs() -> None:
    error = errors.InputError([errors.Problem("cpu", "-1 is not a number of virtual CPUs", "from 1 to 512")])
    document = problem_of(error, "req-1")
    assert document == {
        "type": "urn:minicloud:error:minicloud.input.invalid",
        "title": "The request is not valid",
        "status": 422,
        "detail": "cpu: -1 is not a number of virtual CPUs",
        "code": "minicloud.input.invalid",
        "request_id": "req-1",
        "errors": [{"field": "cpu", "message": "-1 is not a number of virtual CPUs", "allowed": "from 1 to 512"}],
    }


def test_hint_and_details_are_passed_on() -> None:
    error = errors.NoCapacityError("no host", hint="fewer", details={"hosts": {"n1": "full"}})
    document = problem_of(error, "req-1")
    assert (document["hint"], document["details"]) == ("fewer", {"hosts": {"n1": "full"}})


def test_an_echoed_value_is_cut() -> None:
    document = problem_of(errors.InputError([errors.Problem("name", "x" * 1_000_000)]), "req-1")
    assert len(json.dumps(document)) < 4000


def test_the_answer_says_how_to_authenticate() -> None:
    response = answer_problem(errors.UnauthenticatedError("no token"), "req-1")
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["content-type"] == MEDIA_TYPE


def test_the_answer_says_when_to_try_again() -> None:
    assert answer_problem(errors.UnavailableError("busy"), "req-1").headers["retry-after"] == "1"
