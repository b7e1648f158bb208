"""Bodies: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from minicloud.api.body import decode_object, parse
from minicloud.api.input import HostBody, ProjectBody, StopBody, TokenBody
from minicloud.api.problem import MalformedBodyError
from minicloud_core.model.errors import InputError, MinicloudError


def test_nothing_is_an_empty_object() -> None:
    assert decode_object(b"") == {}
    assert decode_object(b" \n") == {}


def test_an_object_is_read_with_all_its_unicode() -> None:
    assert decode_object('{"a": "ä\\ud83d\\ude00", "b": "\\\\u0000"}'.encode()) == {"a": "ä😀", "b": "\\u0000"}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"name": "web01"', "line 1, column 17"),
        (b'{\n "name": web01}', "line 2, column 10"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1, "a": 2}', "'a' comes twice"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b'{"a": "x\\u0000"}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "4300"),
        (b"name=web01&cpu=2", "line 1, column 1"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(raw: bytes, words: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        decode_object(raw)
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("raw", "kind"),
    [(b"[]", "a list"), (b'"x"', "a text"), (b"1", "a number"), (b"true", "a boolean"), (b"null", "null")],
)
def test_json_that_is_no_object_is_refused_as_input(raw: bytes, kind: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_object(raw)
    assert kind in caught.value.problems[0].message


def test_a_body_is_read_into_its_shape() -> None:
    body = parse(
        HostBody, {"name": "n1", "address": "10.0.0.1", "fence": {"agent": "fence_ipmilan"}, "cpu_overcommit": 2}
    )
    assert body.ssh_port == 22
    assert body.fence is not None
    assert body.fence.agent == "fence_ipmilan"
    assert parse(ProjectBody, {"name": "blue", "quota": {"vms": 2}}).quota.vms == 2
    assert parse(StopBody, {"graceful": 3}).graceful == 3
    expires = parse(TokenBody, {"name": "ci", "role": "viewer", "expires_at": "2027-01-01T00:00:00Z"}).expires_at
    assert expires is not None
    assert expires.year == 2027


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "address"}),
        ({"name": "n1", "address": "a b"}, {"address"}),
        ({"name": "n1", "address": "a", "ssh_port": "22"}, {"ssh_port"}),
        ({"name": "n1", "address": "a", "ssh_port": 70000, "colour": "red"}, {"ssh_port", "colour"}),
        ({"name": "n1", "address": "a", "labels": {"tier": 1}}, {"labels.tier"}),
        ({"name": "n1", "address": "a", "fence": {"agent": "a b", "options": []}}, {"fence.agent", "fence.options"}),
        ({"name": "n1", "address": "a", "fence": {"options": {"ip": "10.0.0.9"}}}, {"fence"}),
    ],
)
def test_every_field_that_is_wrong_is_named(body: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse(HostBody, body)
    assert {problem.field for problem in caught.value.problems} == fields
    assert all(problem.message for problem in caught.value.problems)


def test_an_unknown_field_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(InputError) as caught:
        parse(StopBody, {"graceful_seconds": 3})
    assert "graceful" in caught.value.problems[0].allowed


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(MinicloudError):
        parse(TokenBody, {"name": "ci", "role": "viewer", "expires_at": "2027-01-01T00:00:00"})


def test_a_megabyte_of_text_is_read() -> None:
    text = "x" * 1_000_000
    assert decode_object(json.dumps({"a": text}).encode())["a"] == text
