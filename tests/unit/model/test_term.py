"""Terms: one grammar for callers and for files, but for what VMs are called there."""

from __future__ import annotations

import re

import pytest
from minicloud_core.model.term import TERM_PATTERN, check_group, check_term, join_term, split_term


@pytest.mark.parametrize(
    "term",
    [
        *("vm:web01", "vm:vm-101", "group:db", "group:Data.base_2", "tier=web", "a/b=", "x=A_1"),
        *("vm:web01@rack", "group:db@host", "tier=web@example.org/zone", "tier=@rack"),
    ],
)
def test_a_term_is_one_for_callers_and_in_files(term: str) -> None:
    assert check_term(term, field="t") == check_term(term, field="t", any_id=True) == []


@pytest.mark.parametrize(
    "term",
    [
        *("", "web01", "vm:", "group:", "group:-", "host:node1", "=web", "a b=c", "tier=a b", "tier=web\n", None, 3),
        *("group:db@", "@rack", "group:db@a b", "tier=web@-", "group:db@rack@zone", "vm:@rack"),
    ],
)
def test_what_names_nobody_is_refused_for_both(term: object) -> None:
    for any_id in (False, True):
        (problem,) = check_term(term, field="t", any_id=any_id)
        assert (problem.field, problem.allowed) == (
            "t",
            "vm:web01 (a VM by name or id), group:db, or a label such as tier=web; perhaps with @rack",
        )


@pytest.mark.parametrize("vm", ["Web 01", "web@node1@host", "äther", "a=b"])
def test_only_in_files_a_vm_may_be_called_anything(vm: str) -> None:
    assert check_term(f"vm:{vm}", field="t", any_id=True) == []
    assert check_term(f"vm:{vm}", field="t")
    assert not re.search(TERM_PATTERN, f"vm:{vm}")


@pytest.mark.parametrize(
    ("term", "whom", "by"),
    [
        ("group:db", "group:db", "host"),
        ("group:db@rack", "group:db", "rack"),
        ("tier=web@example.org/zone", "tier=web", "example.org/zone"),
        ("vm:web@node1@host", "vm:web@node1", "host"),
    ],
)
def test_a_term_says_whom_and_how_near(term: str, whom: str, by: str) -> None:
    assert split_term(term) == (whom, by)
    assert split_term(join_term(whom, by)) == (whom, by)


def test_who_is_meant_by_host_is_said_in_one_way() -> None:
    assert [join_term(*split_term(term)) for term in ("group:db@host", "group:db", "tier=web@rack")] == [
        "group:db",
        "group:db",
        "tier=web@rack",
    ]


def test_a_name_that_cannot_be_printed_is_none() -> None:
    assert check_term("vm:a\x1b", field="t", any_id=True)


def test_groups_have_names_of_their_own() -> None:
    assert check_group("db-1", field="g") == []
    assert [problem.field for name in ("", "a b", "-a", 3, None) for problem in check_group(name, field="g")] == [
        "g"
    ] * 5
