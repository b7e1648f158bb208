"""What the creates of one transaction need to know and hold, each looked up once for all of them."""

from __future__ import annotations

from collections.abc import Collection

from minicloud_core.model.errors import NotFoundError

from minicloud.store import idempotency as keys
from minicloud.store import image as images
from minicloud.store import project as projects
from minicloud.store import vm as vms
from minicloud.store.image import ImageRow
from minicloud.store.project import ProjectRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import quota, recall
from .vm_wish import VmWish, image_of

_NOTHING = (0, 0, 0, 0)


class Ledger:
    """Locks the Idempotency-Keys and the projects of all, in one order for everybody, so that no two wait for each
    other; then counts what the transaction itself takes of a project.

    :param shared: scopes and Idempotency-Keys that count for all.
    :param lock: False to look and change nothing: nothing is locked then.
    """

    def __init__(
        self,
        session: Session,
        wishes: Collection[VmWish],
        *,
        shared: Collection[tuple[str, str]] = (),
        lock: bool = True,
    ) -> None:
        self._session, self._lock = session, lock
        own = {recall.name_of(wish.actor, wish.idempotency) for wish in wishes if wish.idempotency}
        for scope, key in sorted({*own, *shared}) if lock else ():
            keys.lock(session, scope, key)
        names = sorted({wish.project for wish in wishes})
        self._projects = projects.lock_many(session, names) if lock else projects.named(session, names)
        limited = [name for name, row in self._projects.items() if quota.limits(row)]
        self._used = dict(vms.usage(session, limited)) if limited else {}
        self._vms = vms.named(session, names, {wish.spec.name for wish in wishes})
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
        quota.check(self.project(wish.project), self._used.get(wish.project, _NOTHING), wish.amounts(image))

    def charge(self, wish: VmWish, image: ImageRow) -> None:
        """Count a VM that will be written."""
        used = self._used.get(wish.project, _NOTHING)
        vm, cpu, ram_mib, disk_bytes = wish.amounts(image)
        self._used[wish.project] = (used[0] + vm, used[1] + cpu, used[2] + ram_mib, used[3] + disk_bytes)
