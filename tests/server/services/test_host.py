"""Hosts: registered, changed, cordoned, forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud.services import audit, host, observation, project, vm
from minicloud.services.context import Actor
from minicloud.services.view.host import HostSpec, HostSummary
from minicloud.services.view.project import Quota
from minicloud_core.model.errors import ConflictError, ForbiddenError, InputError, NoCapacityError, NotFoundError

from tests.server.world import ADMIN, World

MEMBER = Actor("ann", "member", "default")
SPEC = HostSpec("node1", "10.77.0.11", labels={"rack": "a"}, fence={"agent": "fence_lab", "options": {"pw": "x"}})


def test_registering_fills_in_what_follows_from_the_address(world: World) -> None:
    change = host.register(world.ctx, ADMIN, SPEC)
    assert (change.created, change.changed) == (True, True)
    assert change.host.libvirt_uri == "qemu+tls://10.77.0.11/system"
    assert change.host.migrate_address == "10.77.0.11"
    six = host.register(world.ctx, ADMIN, HostSpec("node6", "fd00::6")).host
    assert six.libvirt_uri == "qemu+tls://[fd00::6]/system"


def test_registering_again_changes_only_what_differs(world: World) -> None:
    host.register(world.ctx, ADMIN, SPEC)
    again = host.register(world.ctx, ADMIN, SPEC)
    assert (again.created, again.changed) == (False, False)
    moved = host.register(world.ctx, ADMIN, HostSpec("node1", "10.77.0.21"))
    assert (moved.created, moved.changed, moved.host.address) == (False, True, "10.77.0.21")
    assert moved.host.generation > again.host.generation
    assert moved.host.labels == {"rack": "a"}
    assert moved.host.fence_agent == "fence_lab"
    assert (
        host.register(world.ctx, ADMIN, HostSpec("node1", "10.77.0.21", labels={}, fence={})).host.fence_agent is None
    )


def test_what_the_scheduler_is_told_stays_until_it_is_taken_back(world: World) -> None:
    told = HostSpec("node1", "10.77.0.11", dedicated=["shop"], power={"idle_w": 90, "max_w": 300}, bandwidth_mbps=1000)
    first = host.register(world.ctx, ADMIN, told).host
    assert (first.dedicated, first.power, first.bandwidth_mbps) == (("shop",), {"idle_w": 90, "max_w": 300}, 1000)
    kept = host.register(world.ctx, ADMIN, HostSpec("node1", "10.77.0.11"))
    assert not kept.changed
    assert (kept.host.dedicated, kept.host.power, kept.host.bandwidth_mbps) == (
        first.dedicated,
        first.power,
        first.bandwidth_mbps,
    )
    cleared = host.register(world.ctx, ADMIN, HostSpec("node1", "10.77.0.11", dedicated=[], power={}, bandwidth_mbps=0))
    assert (cleared.host.dedicated, cleared.host.power, cleared.host.bandwidth_mbps) == ((), None, None)
    assert cleared.host.generation > first.generation


def test_a_dedicated_host_takes_its_projects_alone(world: World) -> None:
    project.create(world.ctx, ADMIN, "shop", Quota())
    world.host("node1", dedicated=["shop"])
    with pytest.raises(NoCapacityError) as caught:
        world.create("a")
    assert [reason["rule"] for reason in caught.value.details["hosts"]["node1"]] == ["dedicated"]
    assert vm.create(world.ctx, ADMIN, world.spec("b"), project="shop").vm.host == "node1"
    host.register(world.ctx, ADMIN, HostSpec("node1", "10.77.0.11", dedicated=[]))
    assert world.create("a").vm.host == "node1"


def test_a_vm_goes_where_its_networks_and_cpu_features_are(world: World) -> None:
    world.fleet("node1", "node2", "node3")
    world.observe("node1", networks=("default",), cpu_features=("avx2",))
    world.observe("node2", networks=("back", "default"))
    world.observe("node3", networks=("back", "default"), cpu_features=("aes", "avx2"))
    asked = {"nics": ["default", "back"], "scheduling": {"cpu_features": ["avx2"]}}
    made = world.create("a", **asked)
    assert made.vm.host == "node3"
    assert made.placement is not None
    refused = {one["host"]: [reason["rule"] for reason in one["reasons"]] for one in made.placement["refused"]}
    assert refused == {"node1": ["networks"], "node2": ["cpu_features"]}
    world.observe("node1", networks=(), cpu_features=())
    assert world.get_host("node1").networks == ()
    with pytest.raises(NoCapacityError):
        world.create("b", nics=["backup"])


def test_a_host_that_tells_of_no_networks_takes_any(world: World) -> None:
    world.host("node1")
    assert world.get_host("node1").networks is None
    world.create("a", nics=["whatever"])


def test_a_host_that_failed_lately_is_liked_less(world: World) -> None:
    world.fleet("node1", "node2")
    observation.record_silence(world.ctx, "node1", "no route")
    failed = world.clock.at
    world.clock.advance(60)
    world.observe("node1")
    assert world.get_host("node1").state == "ready"
    assert world.get_host("node1").failures == (failed,)
    assert world.create("a").vm.host == "node2"
    world.clock.advance(3 * 86400)
    observation.record_silence(world.ctx, "node1", "no route")
    assert world.get_host("node1").failures == (world.clock.at,)


def test_bandwidth_is_promised_once(world: World) -> None:
    world.host("node1", bandwidth_mbps=1000)
    world.create("a", scheduling={"bandwidth_mbps": 700})
    with pytest.raises(NoCapacityError) as caught:
        world.create("b", scheduling={"bandwidth_mbps": 400})
    assert [reason["rule"] for reason in caught.value.details["hosts"]["node1"]] == ["bandwidth"]
    world.create("c", scheduling={"bandwidth_mbps": 300})
    world.create("d")


def test_the_fence_agents_options_are_never_shown(world: World) -> None:
    change = host.register(world.ctx, ADMIN, SPEC)
    assert "pw" not in repr(change)
    assert "pw" not in repr(audit.list(world.ctx, ADMIN))


def test_a_dry_run_registers_nothing(world: World) -> None:
    assert host.register(world.ctx, ADMIN, SPEC, dry_run=True).created
    with pytest.raises(NotFoundError):
        host.get(world.ctx, ADMIN, "node1")
    host.register(world.ctx, ADMIN, SPEC)
    assert host.register(world.ctx, ADMIN, HostSpec("node1", "10.77.0.99"), dry_run=True).changed
    assert world.get_host("node1").address == "10.77.0.11"


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"name": "node/1"}),
        ("address", {"address": "10.0.0.1 -o ProxyCommand=x"}),
        ("address", {"address": "{{ lookup('pipe', 'id') }}"}),
        ("address", {"address": "10.0.0.1\n"}),
        ("ssh_user", {"ssh_user": "root;id"}),
        ("ssh_port", {"ssh_port": 0}),
        ("ssh_key_file", {"ssh_key_file": "../key"}),
        ("libvirt_uri", {"libvirt_uri": "lxc:///"}),
        ("labels.a b", {"labels": {"a b": "c"}}),
        ("cpu_overcommit", {"cpu_overcommit": 0}),
        ("ram_reserved_mib", {"ram_reserved_mib": -1}),
        ("dedicated.1", {"dedicated": ["shop", "No"]}),
        ("power.max_w", {"power": {"idle_w": 90}}),
        ("power.max_w", {"power": {"idle_w": 90, "max_w": 80}}),
        ("power.idle_w", {"power": {"idle_w": -1, "max_w": 80}}),
        ("power.peak", {"power": {"idle_w": 1, "max_w": 80, "peak": 90}}),
        ("bandwidth_mbps", {"bandwidth_mbps": -1}),
        ("fence.agent", {"fence": {"agent": "rm -rf"}}),
        ("fence.wat", {"fence": {"agent": "fence_lab", "wat": 1}}),
        ("fence.options.ip", {"fence": {"agent": "fence_lab", "options": {"ip": "a\nb"}}}),
    ],
)
def test_wrong_fields_are_named(world: World, field: str, fields: dict[str, Any]) -> None:
    spec = HostSpec(**{"name": "node1", "address": "10.77.0.11", **fields})
    with pytest.raises(InputError) as caught:
        host.register(world.ctx, ADMIN, spec)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_only_admins_touch_hosts_and_members_see_little(world: World) -> None:
    world.host("node1")
    for call in (
        lambda: host.register(world.ctx, MEMBER, SPEC),
        lambda: host.cordon(world.ctx, MEMBER, "node1"),
        lambda: host.fence(world.ctx, MEMBER, "node1"),
        lambda: host.remove(world.ctx, MEMBER, "node1"),
        lambda: host.domains(world.ctx, MEMBER, "node1"),
        lambda: host.list_all(world.ctx, MEMBER),
    ):
        with pytest.raises(ForbiddenError):
            call()
    assert host.get(world.ctx, MEMBER, "node1") == HostSummary("node1", "ready", False)
    assert host.list(world.ctx, MEMBER).items == (HostSummary("node1", "ready", False),)


def test_cordoning_is_said_once(world: World) -> None:
    world.host("node1")
    assert host.cordon(world.ctx, ADMIN, "node1", dry_run=True).changed
    assert not world.get_host("node1").cordoned
    assert host.cordon(world.ctx, ADMIN, "node1", reason="disk swap").changed
    assert not host.cordon(world.ctx, ADMIN, "node1").changed
    assert world.get_host("node1").cordoned
    assert host.uncordon(world.ctx, ADMIN, "node1").changed
    assert audit.list(world.ctx, ADMIN, action="host.cordon").items[0].details == {"reason": "disk swap"}


def test_a_host_with_vms_stays(world: World) -> None:
    world.host("node1")
    world.running()
    with pytest.raises(ConflictError, match="vm-101 live there"):
        host.remove(world.ctx, ADMIN, "node1")
    world.change("web01", "delete")
    world.carry_out("absent")
    world.observe("node1")
    host.remove(world.ctx, ADMIN, "node1", dry_run=True)
    assert world.get_host("node1")
    host.remove(world.ctx, ADMIN, "node1")
    with pytest.raises(NotFoundError):
        host.get(world.ctx, ADMIN, "node1")
    with pytest.raises(NotFoundError):
        host.remove(world.ctx, ADMIN, "node1")


def test_a_host_under_a_fence_stays(world: World) -> None:
    world.host("node1", fence={"agent": "fence_lab"})
    fenced = host.fence(world.ctx, ADMIN, "node1")
    assert fenced.host.state == "fencing"
    with pytest.raises(ConflictError, match="are open"):
        host.remove(world.ctx, ADMIN, "node1")
    again = host.fence(world.ctx, ADMIN, "node1")
    assert (again.changed, again.operation) == (False, fenced.operation)


def test_nothing_can_be_fenced_without_an_agent(world: World) -> None:
    world.host("node1")
    observation.record_silence(world.ctx, "node1", "no route")
    with pytest.raises(ConflictError, match="no fence agent"):
        host.fence(world.ctx, ADMIN, "node1")
    assert world.get_host("node1").state == "suspect"


def test_lists_page_by_name(world: World) -> None:
    world.fleet("node3", "node1", "node2")
    first = host.list(world.ctx, ADMIN, limit=2)
    second = host.list(world.ctx, ADMIN, limit=2, cursor=first.next)
    assert [one.name for one in (*first.items, *second.items)] == ["node1", "node2", "node3"]
    assert second.next is None
    assert host.list(world.ctx, ADMIN, state="down").items == ()
