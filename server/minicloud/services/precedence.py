"""Whose place a VM may take now: a request that fits nowhere is planned in the place of others, where the policy lets
it, and of those alone who are at rest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.request import Request

from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.store import Session


def place(session: Session, scheduler: Scheduler, request: Request, *, now: float) -> Decision:
    """Where a request goes; ``preempts`` of the decision says who would have to leave first.

    :param scheduler: on the fleet as the session sees it.
    :param now: Unix seconds.
    """
    decision = scheduler.place(request, now=now)
    precedence = scheduler.policy.of(request.project).preemption
    if decision.host is not None or precedence is None or not precedence.applies(request) or _is_special(request):
        return decision
    ready = may_leave(session)
    return scheduler.place(request, now=now, preempt=True, spared=lambda vm: vm not in ready)


def _is_special(request: Request) -> bool:
    """Whether it takes room of another kind than others give back: it could not be held for it while they leave."""
    return request.pinned or request.huge_pages or request.numa > 0


def may_leave(session: Session, among: Collection[str] | None = None) -> frozenset[str]:
    """VMs that nobody has any plans with: on, off or paused, with no operation open, making room for nobody.

    :param among: of those; None for all.
    """
    return vms.at_rest(session, among) - operations.busy_vms(session)


def beside(request: Request, leaving: Collection[Request]) -> Request:
    """What a request needs beside what those hold who are to leave for it. Their disks stay, so of disk it is all, and
    their huge pages are nothing to it."""
    cpu = sum(one.cpu for one in leaving)
    ram_mib = sum(one.ram_mib for one in leaving if not one.huge_pages)
    return replace(request, cpu=max(0, request.cpu - cpu), ram_mib=max(0, request.ram_mib - ram_mib))
