"""What the creates of one transaction need to know and hold, each looked up once for all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cached_property

from minicloud_core.model.errors import NotFoundError

from minicloud.store import idempotency as keys
from minicloud.store import image as images
from minicloud.store import project as projects
from minicloud.store import vm as vms
from minicloud.store.image import ImageRow
from minicloud.store.project import ProjectRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import quota, recall, usage
from .vm_wish import VmWish, image_of


class Ledger:
    """Locks the Idempotency-Keys and the projects of all, in one order for everybody, so that no two wait for each
    other; then counts what the transaction itself takes of a project.

    :param now: against which is told which reservations count.
    :param shared: scopes and Idempotency-Keys that count for all.
    :param lock: False to look and change nothing: nothing is locked then.
    """

    def __init__(
        self,
        session: Session,
        wishes: Collection[VmWish],
        *,
        now: datetime,
        shared: Collection[tuple[str, str]] = (),
        lock: bool = True,
    ) -> None:
        self._session, self._wishes, self._lock = session, wishes, lock
        own = {recall.name_of(wish.actor, wish.idempotency) for wish in wishes if wish.idempotency}
        for scope, key in sorted({*own, *shared}) if lock else ():
            keys.lock(session, scope, key)
        names = sorted({wish.project for wish in wishes})
        self._projects = projects.lock_many(session, names) if lock else projects.named(session, names)
        limited = [name for name, row in self._projects.items() if quota.limits(row)]
        self._used = dict(usage.of_projects(session, limited, now)) if limited else {}
        self._images: dict[str, ImageRow | None] = {}

    def project(self, name: str) -> ProjectRow:
        """:raises NotFoundError: when there is none."""
        row = self._projects.get(name)
        if row is None:
            raise NotFoundError(f"There is no project {name}", hint="an admin creates projects: POST /v1/projects")
        return row

    def existing(self, wish: VmWish) -> VmRow | None:
        """The VM of that name, which is not deleted."""
        return self._vms.get((wish.project, wish.spec.name))

    @cached_property
    def _vms(self) -> Mapping[tuple[str, str], VmRow]:
        return vms.named(self._session, self._projects, {wish.spec.name for wish in self._wishes})

    def image(self, wish: VmWish) -> ImageRow:
        """The wish's image, which nobody may remove while it is locked.

        :raises InputError: when there is none, or the VM is too small for it.
        """
        name = wish.spec.image
        if name not in self._images:
            self._images[name] = (images.share if self._lock else images.find)(self._session, name)
        return image_of(self._session, wish.spec, self._images[name])

    def check_quota(self, wish: VmWish, image: ImageRow) -> None:
        """:raises QuotaError: when the project may not have it."""
        quota.check(self.project(wish.project), self._used.get(wish.project, usage.NOTHING), wish.amounts(image))

    def charge(self, wish: VmWish, image: ImageRow) -> None:
        """Count a VM that will be written."""
        self._used[wish.project] = usage.plus(self._used.get(wish.project, usage.NOTHING), wish.amounts(image))

    def refund(self, wish: VmWish, image: ImageRow) -> None:
        """Count one no longer that was charged, and will not be written."""
        self._used[wish.project] = usage.less(self._used[wish.project], wish.amounts(image))
