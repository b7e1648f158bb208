"""A real libvirtd and a real guest for the hypervisor's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from minicloud_core.hypervisor.apply import apply_order
from minicloud_core.hypervisor.host import Hypervisor, Layout, open_hypervisor

from tests.integration.hypervisor.guest import TinyGuest, tiny_guest
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd

Apply = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> TinyGuest:
    """Kernel and initrd of the lab's tiny guest."""
    return tiny_guest(tmp_path_factory.mktemp("guest"))


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateLibvirtd]:
    """A libvirtd with a storage pool ``default`` and a network ``default``."""
    folder = tmp_path_factory.mktemp("libvirtd")
    daemon = PrivateLibvirtd(folder / "d", "hv1")
    daemon.start()
    try:
        daemon.add_pool("default", folder / "pool")
        daemon.add_network("default")
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture(scope="session")
def root(daemon: PrivateLibvirtd) -> Path:
    """The host's directory of minicloud's."""
    return daemon.folder / "minicloud"


@pytest.fixture(scope="session")
def hypervisor(daemon: PrivateLibvirtd, root: Path) -> Iterator[Hypervisor]:
    with open_hypervisor(daemon.uri, Layout(root)) as hypervisor:
        yield hypervisor


@pytest.fixture
def apply(hypervisor: Hypervisor) -> Apply:
    """Carry one order out and return its result as the module would."""

    def apply(order: dict[str, Any], *, check: bool = False, **changes: Any) -> dict[str, Any]:
        return apply_order(hypervisor, {**order, **changes}, check=check).to_mapping()

    return apply


_NUMBERS = count(101)


@pytest.fixture
def order(guest: TinyGuest, apply: Apply) -> Iterator[dict[str, Any]]:
    """An order for a VM of its own, which is gone after the test."""
    vm_id = f"vm-{next(_NUMBERS)}"
    order = {
        "id": vm_id,
        "name": f"web-{vm_id[3:]}",
        "cpu": 1,
        "ram": "128M",
        "kernel": str(guest.kernel),
        "initrd": str(guest.initrd),
        "cmdline": "console=ttyS0 quiet",
        "nics": [],
        "state": "running",
        "epoch": 1,
        "operation": "op-test",
    }
    yield order
    left = apply({"id": vm_id, "name": order["name"], "state": "absent"})
    assert not left["failed"], left["error"]
