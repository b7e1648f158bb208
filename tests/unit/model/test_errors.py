"""Errors written down and read again."""

from __future__ import annotations

import pytest
from minicloud_core.model.errors import InputError, MinicloudError, NoCapacityError, Problem, QuotaError, read_error


@pytest.mark.parametrize(
    "error",
    [
        NoCapacityError("no host", hint="add one", details={"hosts": {}, "obstacles": [1]}),
        QuotaError("too many"),
        InputError([Problem("image", "there is none", "one of tiny"), Problem("ram", "too few")]),
        MinicloudError("something"),
    ],
)
def test_what_was_written_is_read_back(error: MinicloudError) -> None:
    again = read_error(error.to_mapping())
    assert type(again) is type(error)
    assert again.to_mapping() == error.to_mapping()


def test_a_code_that_nobody_knows_is_an_error_all_the_same() -> None:
    again = read_error({"code": "minicloud.future", "message": "who knows"})
    assert (type(again), again.message) == (MinicloudError, "who knows")
