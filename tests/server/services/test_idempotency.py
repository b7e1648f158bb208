"""Idempotency keys: the same request answers the same, another body is refused, a day later all is forgotten."""

from __future__ import annotations

import pytest
from minicloud.services import host, operation, project, token, vm
from minicloud.services.context import Actor, Idempotency
from minicloud.services.view.host import HostSpec
from minicloud.services.view.project import Quota
from minicloud_core.model.errors import IdempotencyError, InputError

from tests.server.world import ADMIN, World

KEY = Idempotency("k-1", "POST /v1/vms", "a" * 64)
OTHER_BODY = Idempotency("k-1", "POST /v1/vms", "b" * 64)


@pytest.fixture
def fleet(world: World) -> World:
    world.fleet("node1", "node2")
    return world


def test_the_same_request_answers_the_same_vm_even_once_it_is_gone(fleet: World) -> None:
    first = vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=KEY)
    again = vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=KEY)
    assert (again.vm.id, again.created, again.replayed) == (first.vm.id, True, True)
    fleet.change("web01", "delete")
    gone = vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=KEY)
    assert (gone.vm.id, gone.vm.status) == (first.vm.id, "deleted")
    assert vm.list(fleet.ctx, ADMIN).items == ()


def test_another_body_is_refused_and_changes_nothing(fleet: World) -> None:
    vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=KEY)
    with pytest.raises(IdempotencyError):
        vm.create(fleet.ctx, ADMIN, fleet.spec("web02"), idempotency=OTHER_BODY)
    assert len(vm.list(fleet.ctx, ADMIN).items) == 1


def test_a_request_that_failed_leaves_its_key_free(fleet: World) -> None:
    with pytest.raises(InputError):
        vm.create(fleet.ctx, ADMIN, fleet.spec(image="nosuch"), idempotency=KEY)
    assert not vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=OTHER_BODY).replayed


def test_keys_are_told_apart_by_route_and_project(fleet: World) -> None:
    project.create(fleet.ctx, ADMIN, "shop", Quota())
    vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=KEY)
    vm.change(fleet.ctx, ADMIN, "web01", "delete", idempotency=Idempotency("k-1", "DELETE /v1/vms/web01", "c"))
    ann = Actor("ann", "member", "shop")
    assert vm.create(fleet.ctx, ann, fleet.spec(), idempotency=OTHER_BODY).vm.project == "shop"


def test_a_key_is_forgotten_after_a_day(fleet: World) -> None:
    first = vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=KEY)
    fleet.clock.advance(24 * 3600 - 1)
    assert vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=KEY).vm.id == first.vm.id
    fleet.clock.advance(2)
    assert vm.create(fleet.ctx, ADMIN, fleet.spec("web02"), idempotency=OTHER_BODY).vm.name == "web02"


@pytest.mark.parametrize("verb", ["stop", "migrate", "delete"])
def test_verbs_are_not_done_twice(fleet: World, verb: str) -> None:
    fleet.running()
    key = Idempotency("k-2", f"POST /v1/vms/web01/{verb}", "d")
    first = fleet.change("web01", verb, idempotency=key)
    again = fleet.change("web01", verb, idempotency=key)
    assert first.operation is not None and again.operation is not None
    assert (again.operation.id, again.changed, again.replayed) == (first.operation.id, True, True)
    assert len(operation.list(fleet.ctx, ADMIN, kind=f"vm.{verb}").items) == 1


def test_other_mutations_remember_too(fleet: World) -> None:
    key = Idempotency("k-3", "POST /v1/hosts", "e")
    made = host.register(fleet.ctx, ADMIN, HostSpec("node9", "10.77.0.19"), idempotency=key)
    again = host.register(fleet.ctx, ADMIN, HostSpec("node9", "10.77.0.19"), idempotency=key)
    assert (made.created, again.created, again.replayed) == (True, True, True)
    key = Idempotency("k-4", "POST /v1/tokens", "f")
    first = token.create(fleet.ctx, ADMIN, "ci", "admin", idempotency=key)
    second = token.create(fleet.ctx, ADMIN, "ci", "admin", idempotency=key)
    assert (second.token.id, second.secret, second.replayed) == (first.token.id, "", True)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_cannot_be_kept_is_refused(fleet: World, key: str) -> None:
    with pytest.raises(InputError):
        vm.create(fleet.ctx, ADMIN, fleet.spec(), idempotency=Idempotency(key, "POST /v1/vms", "a"))
