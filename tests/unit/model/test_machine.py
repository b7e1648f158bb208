"""Machine types that VMs can be given."""

from __future__ import annotations

import re

import pytest
from minicloud_core.model.machine import MACHINE_PATTERN, check_machine, is_machine


@pytest.mark.parametrize(
    "machine", ["q35", "pc", "pc-q35-7.2", "pc-i440fx-8.1", "virt", "virt-9.0", "pseries-rhel7.6.0"]
)
def test_boards_that_we_know_how_to_equip(machine: str) -> None:
    assert check_machine(machine, field="machine") == []
    assert re.search(MACHINE_PATTERN, machine)


@pytest.mark.parametrize("machine", ["", "microvm", "isapc", "none", "q35-7.2", "pc-q35-", "Q35", "q35\n", None, 35])
def test_others_are_refused(machine: object) -> None:
    (problem,) = check_machine(machine, field="machine")
    assert (problem.field, "pc-q35-7.2" in problem.allowed) == ("machine", True)


def test_a_version_is_of_its_family_and_of_no_other() -> None:
    assert is_machine("pc-q35-7.2", "q35")
    assert is_machine("q35", "q35")
    assert not is_machine("pc-i440fx-7.2", "q35")
    assert not is_machine("q35", "pc-q35-7.2")
    assert not is_machine("pc-q35-7.2", "pc")
