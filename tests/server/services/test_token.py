"""Tokens and projects: who may ask, and for how much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from minicloud.services import audit, certificate, image, inventory, metric, project, token
from minicloud.services.context import Actor
from minicloud.services.view.image import ImageSpec
from minicloud.services.view.project import Quota, Usage
from minicloud_core.model.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    UnauthenticatedError,
)
from sqlalchemy import text

from tests.server.world import ADMIN, START, World

MEMBER = Actor("ann", "member", "default")


def test_the_first_token_is_made_once_and_only_its_digest_is_kept(world: World) -> None:
    made = token.initialise(world.ctx)
    assert made.secret.startswith(f"mc_{made.token.id}_")
    assert len(made.secret.rsplit("_", 1)[1]) == 64
    with pytest.raises(ConflictError):
        token.initialise(world.ctx)
    with world.ctx.read() as session:
        (row,) = session.execute(text("SELECT * FROM tokens")).mappings()
    assert made.secret.rsplit("_", 1)[1] not in str(dict(row))
    actor = token.authenticate(world.ctx, made.secret, "req-9")
    assert (actor.role, actor.project, actor.token, actor.request_id) == ("admin", None, made.token.id, "req-9")


def test_wrong_tokens_are_refused(world: World) -> None:
    good = token.initialise(world.ctx).secret
    head, tail = good[:-1], good[-1]
    for wrong in ("", "mc_", head, head + ("0" if tail != "0" else "1"), good + "\n", good.upper(), f"{good}é"):
        with pytest.raises(UnauthenticatedError):
            token.authenticate(world.ctx, wrong)


def test_a_token_ends_when_it_expires_or_is_revoked(world: World) -> None:
    ending = token.create(world.ctx, ADMIN, "ci", "admin", expires_at=START + timedelta(hours=1))
    kept = token.create(world.ctx, ADMIN, "ann", "member", project="default")
    world.clock.advance(3601)
    with pytest.raises(UnauthenticatedError, match="expired"):
        token.authenticate(world.ctx, ending.secret)
    assert token.authenticate(world.ctx, kept.secret).project == "default"
    assert token.revoke(world.ctx, ADMIN, kept.token.id, dry_run=True).revoked_at is None
    token.revoke(world.ctx, ADMIN, kept.token.id)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        token.authenticate(world.ctx, kept.secret)
    with pytest.raises(NotFoundError):
        token.revoke(world.ctx, ADMIN, "nosuch")
    # A revoked admin is none: the house can be opened again.
    assert token.initialise(world.ctx).secret


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"name": "a/b"}),
        ("role", {"role": "king"}),
        ("project", {"role": "member"}),
        ("project", {"role": "member", "project": "nowhere"}),
        ("expires_at", {"expires_at": START}),
        ("expires_at", {"expires_at": START.replace(tzinfo=None, year=2030)}),
    ],
)
def test_wrong_fields_are_named(world: World, field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        token.create(world.ctx, ADMIN, **{"name": "ci", "role": "admin", **fields})
    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_dry_run_makes_no_token(world: World) -> None:
    assert token.create(world.ctx, ADMIN, "ci", "admin", dry_run=True).secret == ""
    assert token.list(world.ctx, ADMIN).items == ()


def test_what_only_admins_may(world: World) -> None:
    for call in (
        lambda: token.create(world.ctx, MEMBER, "x", "admin"),
        lambda: token.list(world.ctx, MEMBER),
        lambda: token.revoke(world.ctx, MEMBER, "x"),
        lambda: audit.list(world.ctx, MEMBER),
        lambda: project.create(world.ctx, MEMBER, "x", Quota()),
        lambda: project.set_quota(world.ctx, MEMBER, "default", Quota()),
        lambda: image.register(world.ctx, MEMBER, ImageSpec("x", "kernel", ())),
        lambda: image.remove(world.ctx, MEMBER, "tiny"),
        lambda: certificate.sign(world.ctx, MEMBER, "node1", ""),
    ):
        with pytest.raises(ForbiddenError):
            call()


def test_projects_have_quotas_and_show_their_use(world: World) -> None:
    world.host("node1")
    made = project.create(world.ctx, ADMIN, "shop", Quota(vms=3, ram_mib=4096))
    assert (made.quota, made.usage) == (Quota(vms=3, ram_mib=4096), Usage(0, 0, 0, 0))
    with pytest.raises(ConflictError):
        project.create(world.ctx, ADMIN, "shop", Quota())
    world.create(actor=Actor("bob", "member", "shop"), cpu=2, ram="1G")
    assert project.get(world.ctx, ADMIN, "shop").usage == Usage(1, 2, 1024, 0)
    assert project.set_quota(world.ctx, ADMIN, "shop", Quota(vms=9), dry_run=True).quota == Quota(vms=9)
    assert project.get(world.ctx, ADMIN, "shop").quota.vms == 3
    project.set_quota(world.ctx, ADMIN, "shop", Quota(cpu=4))
    assert project.get(world.ctx, ADMIN, "shop").quota == Quota(cpu=4)
    assert [one.name for one in project.list(world.ctx, ADMIN).items] == ["default", "shop"]
    assert [one.name for one in project.list(world.ctx, MEMBER).items] == ["default"]
    with pytest.raises(NotFoundError):
        project.get(world.ctx, MEMBER, "shop")
    for name, quota in (("A b", Quota()), ("x", Quota(vms=-1))):
        with pytest.raises(InputError):
            project.create(world.ctx, ADMIN, name, quota)


def test_audit_entries_page_the_newest_first(world: World) -> None:
    for name in ("a", "b", "c"):
        project.create(world.ctx, ADMIN, name, Quota())
    first = audit.list(world.ctx, ADMIN, limit=2)
    assert [one.resource for one in first.items] == ["c", "b"]
    assert audit.list(world.ctx, ADMIN, limit=2, cursor=first.next).items[0].resource == "a"
    assert [one.action for one in audit.list(world.ctx, ADMIN, resource="b").items] == ["project.create"]


def test_inventories_and_figures_count_what_is_there(world: World) -> None:
    world.host("node1")
    world.running(labels={"tier": "web"})
    rows = inventory.read(world.ctx, ADMIN)
    assert (rows.hosts[0]["name"], rows.hosts[0]["state"], bool(rows.hosts[0]["cordoned"])) == ("node1", "ready", False)
    assert rows.vms[0]["name"] == "web01"
    assert '"web"' in rows.vms[0]["labels"] and rows.vms[0]["addresses"] == "[]"
    assert inventory.read(world.ctx, MEMBER).hosts == ()
    assert len(inventory.read(world.ctx, MEMBER).vms) == 1
    counts = metric.counts(world.ctx)
    assert (counts.vms, counts.hosts) == ({"running": 1}, {"ready": 1})
    assert counts.operations == {("vm.create", "succeeded"): 1}
