"""What happens behind minicloud's back is seen through events and put right; what is not ours is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread

import pytest
from minicloud.client import ApiError, Client, ServerEvent

from tests.lab.fleet import Fleet

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

SEEN_WITHIN = 2.0

FOREIGN = """
<domain type='qemu'>
  <name>foreign</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
</domain>
"""


class Watch:
    """Follows a VM's events from now on, with the moment at which each came."""

    def __init__(self, client: Client, vm: str) -> None:
        self.seen: list[tuple[float, ServerEvent]] = []
        self._stands = Event()
        self._client, self._vm = client, vm
        Thread(target=self._follow, daemon=True).start()
        assert self._stands.wait(10), "the event stream does not stand"

    def _follow(self) -> None:
        # It outlives its test: once the VM is gone, so is the stream.
        with suppress(ApiError):
            for event in self._client.events.follow(vm=self._vm):
                self._stands.set()
                if event is not None:
                    self.seen.append((time.monotonic(), event))

    def first(self, kind: str, to: str) -> float | None:
        """When the first event of that kind came that says so."""
        return next((at for at, event in self.seen if event.kind == kind and event.data["data"].get("to") == to), None)


@pytest.fixture
def victim(fleet: Fleet, client: Client, new_name: Callable[[], str]) -> dict[str, str]:
    vm = client.vms.create({"name": new_name(), "ram": 128}, wait=60)
    assert vm["status"] == "running", vm
    assert vm["host"] is not None
    return {"id": vm["id"], "host": vm["host"], "uuid": vm["uuid"], "mac": vm["nics"][0]["mac"]}


def test_destroyed_behind_its_back(fleet: Fleet, client: Client, victim: dict[str, str]) -> None:
    watch = Watch(client, victim["id"])
    fleet.virsh(victim["host"], "destroy", victim["id"])
    destroyed = time.monotonic()
    seen = fleet.until(
        lambda: watch.first("vm.status", "stopped"), "the VM is seen stopped", timeout=20, state=lambda: watch.seen
    )
    fleet.until(
        lambda: client.vms.get(victim["id"])["status"] == "running" and fleet.copies(victim["id"]),
        "the VM runs again",
        timeout=60,
        state=lambda: client.vms.get(victim["id"]),
    )
    print(f"\ndrift: seen after {seen - destroyed:.2f} s, put right after {time.monotonic() - destroyed:.2f} s")
    assert seen - destroyed < SEEN_WITHIN
    latest = next(client.operations.list(vm=victim["id"], most=1))
    assert latest["kind"] == "vm.start"
    assert latest["reasons"], "an operation of the reconciler says why it is"


def test_undefined_behind_its_back(fleet: Fleet, client: Client, victim: dict[str, str]) -> None:
    fleet.virsh(victim["host"], "destroy", victim["id"])
    fleet.virsh(victim["host"], "undefine", victim["id"])
    fleet.until(
        lambda: fleet.copies(victim["id"]) == [victim["host"]] and client.vms.get(victim["id"])["status"] == "running",
        "the VM is there again",
        timeout=90,
        state=lambda: client.vms.get(victim["id"]),
    )
    assert fleet.virsh(victim["host"], "domuuid", victim["id"]).strip() == victim["uuid"]
    assert victim["mac"] in fleet.virsh(victim["host"], "domiflist", victim["id"])


def test_started_behind_its_back(fleet: Fleet, client: Client, victim: dict[str, str]) -> None:
    client.operations.wait(client.vms.change(victim["id"], "stop", force=True)["operation"], timeout=60)
    fleet.virsh(victim["host"], "start", victim["id"])
    fleet.until(
        lambda: fleet.copies(victim["id"]) == [] and client.vms.get(victim["id"])["status"] == "stopped",
        "the VM is stopped again",
        timeout=60,
        state=lambda: client.vms.get(victim["id"]),
    )


@pytest.fixture
def foreign(fleet: Fleet) -> Iterator[str]:
    """A host with a running domain that minicloud did not make."""
    host = fleet.hosts[0]
    fleet.ssh(host, f'printf %s "{FOREIGN}" > /run/foreign.xml && virsh -q create /run/foreign.xml')
    yield host
    fleet.virsh(host, "destroy", "foreign", check=False)


def test_a_domain_that_is_not_ours_is_shown_and_left_alone(fleet: Fleet, client: Client, foreign: str) -> None:
    identity = fleet.virsh(foreign, "domid", "foreign"), fleet.virsh(foreign, "dumpxml", "foreign")
    shown = fleet.until(
        lambda: next((domain for domain in client.hosts.domains(foreign) if domain["name"] == "foreign"), None),
        "the foreign domain is shown",
        timeout=20,
        state=lambda: list(client.hosts.domains(foreign)),
    )
    assert shown["managed"] is False
    assert shown["vm"] is None
    time.sleep(6)  # three passes of the reconciler
    assert (fleet.virsh(foreign, "domid", "foreign"), fleet.virsh(foreign, "dumpxml", "foreign")) == identity
    assert "foreign" not in {vm["name"] for vm in client.vms.list()}
