"""The table of exit codes against every error that the service can answer with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from minicloud.cli.exit_code import BY_CODE, ExitCode, exit_code_of
from minicloud.client import ApiError, OperationFailedError, UnreachableError, WaitTimeoutError
from minicloud_core.model import errors


def _kinds(kind: type[errors.MinicloudError]) -> list[type[errors.MinicloudError]]:
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in _kinds(below))]


KINDS = [kind for kind in _kinds(errors.MinicloudError) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_code_of_the_model_has_its_line(kind: type[errors.MinicloudError]) -> None:
    code = exit_code_of(ApiError(500, {"code": kind.code}))
    if kind is errors.MinicloudError:
        assert code is ExitCode.UNEXPECTED
    else:
        assert code not in (ExitCode.UNEXPECTED, ExitCode.OK), f"{kind.code} is missing in BY_CODE"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("minicloud.input.invalid", 2),
        ("minicloud.resource.not_found", 3),
        ("minicloud.auth.forbidden", 4),
        ("minicloud.vm.exists_with_other_spec", 5),
        ("minicloud.host.no_capacity", 6),
        ("minicloud.from.the.future", 1),
    ],
)
def test_codes_that_scripts_rely_on(code: str, expected: int) -> None:
    assert exit_code_of(ApiError(400, {"code": code})) == expected


def test_what_the_client_itself_says() -> None:
    assert exit_code_of(UnreachableError("http://nowhere", "refused")) == 7
    assert exit_code_of(WaitTimeoutError("op-1", 10, "running")) == 9


def test_a_failed_operation_is_8_whatever_made_it_fail() -> None:
    operation = {"id": "op-1", "kind": "vm.create", "state": "failed", "error": {"code": "minicloud.input.invalid"}}
    assert exit_code_of(OperationFailedError(operation)) == 8


def test_the_guide_lists_every_exit_code() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide.md").read_text()
    table = {int(match) for match in re.findall(r"^\| (\d+) \| ", guide, re.MULTILINE)}
    assert table == set(ExitCode)


def test_no_line_is_dead() -> None:
    assert all(code.startswith("minicloud.") for code in BY_CODE)
    assert len(set(BY_CODE.values())) >= 8
