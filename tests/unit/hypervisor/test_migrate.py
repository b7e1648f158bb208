"""What libvirt is asked for when a VM moves."""

from __future__ import annotations

import libvirt
import pytest
from minicloud_core.hypervisor.migrate import migration_flags, migration_parameters
from minicloud_core.model.order import MigrationOrder

ORDER = MigrationOrder("vm-101", "u", "web01", 1, "node1", "node2", "qemu+tls://192.0.2.2/system", "192.0.2.2")
ALWAYS = libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE


def order(**changes: object) -> MigrationOrder:
    return MigrationOrder(**{**ORDER.to_mapping(), **changes})


@pytest.mark.parametrize(
    ("changes", "copies", "more"),
    [
        ({}, False, libvirt.VIR_MIGRATE_LIVE),
        ({"live": False}, False, 0),
        ({"tls": True}, False, libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_TLS),
        ({}, True, libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_NON_SHARED_DISK),
    ],
)
def test_a_running_guest_moves_as_the_order_says(changes: dict[str, object], copies: bool, more: int) -> None:
    flags = migration_flags(order(**changes), active=True, copies=copies)
    assert flags == ALWAYS | libvirt.VIR_MIGRATE_ABORT_ON_ERROR | more


def test_of_a_guest_that_is_off_only_the_definition_moves() -> None:
    assert migration_flags(order(tls=True), active=False, copies=False) == ALWAYS | libvirt.VIR_MIGRATE_OFFLINE


def test_the_destination_chooses_the_port() -> None:
    assert migration_parameters(ORDER) == {"migrate_uri": "tcp://192.0.2.2"}
    assert migration_parameters(order(migrate_host="2001:db8::2")) == {"migrate_uri": "tcp://[2001:db8::2]"}
    assert migration_parameters(order(migrate_host="", bandwidth_mib=100)) == {"bandwidth": 100}
