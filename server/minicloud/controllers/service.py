"""The controllers: loops that read the whole fleet, decide by pure planners, and hand the plan to services."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from minicloud.services import host as hosts
from minicloud.services import operation as operations
from minicloud.services import reconciliation
from minicloud.services import reservation as reservations
from minicloud.services.context import SYSTEM, Context
from minicloud.services.view.fleet import FleetState, Intent, Plan
from minicloud.settings import Settings

from .drift import plan_corrections, plan_purges
from .host_health import judge, silent_hosts
from .preemption import plan_turnover
from .readmission import plan_readmissions
from .rescue import plan_rescues
from .second_path import SshAddress, ask

# The most that one pass begins of each sort; what remains waits for the next.
_AT_MOST = 50
# Passes follow each other no closer than this, however many observations come, in seconds.
_BREATH = 0.2
_EXPIRE_EVERY = 1.0
_HEALTH_EVERY = 1.0
_ASK_TIMEOUT = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ControllersStatus:
    """Passes of the reconciler so far, intents it had carried out, and why it distrusts itself, if it does."""

    healthy: bool
    passes: int
    applied: int
    doubt: str


class Controllers:
    """Runs the reconciler, the watch over hosts' health, and the expiry of leases and reservations, each in a thread
    of its own."""

    def __init__(self, context: Context, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self._stop = threading.Event()
        self._passes = 0
        self._applied = 0
        self._doubt = ""
        self._held: dict[str, str] = {}
        self._threads = [
            threading.Thread(target=body, name=name, daemon=True)
            for name, body in (
                ("reconciler", self._reconcile_forever),
                ("host-health", lambda: self._every(_HEALTH_EVERY, self.look_after_hosts)),
                ("lease-expiry", lambda: self._every(_EXPIRE_EVERY, self._expire)),
                ("reservation-expiry", lambda: self._every(_EXPIRE_EVERY, self._expire_reservations)),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Begin nothing more, and wait at most ``timeout`` seconds for passes under way."""
        self._stop.set()
        self._context.hints.wake("observations")
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def healthy(self) -> bool:
        return not self._stop.is_set() and all(thread.is_alive() for thread in self._threads)

    def status(self) -> ControllersStatus:
        return ControllersStatus(self.healthy, self._passes, self._applied, self._doubt)

    def reconcile(self) -> Plan:
        """One pass: read, plan, apply.

        :returns: the plan; empty for a fleet that is as desired.
        """
        state = reconciliation.load(self._context)
        plan = Plan(plan_all(state, fresh=self._fresh))
        self._apply(plan)
        self._passes += 1
        return plan

    def look_after_hosts(self) -> Plan:
        """One look at silent hosts: ask them by the second path, and fence those that must be."""
        registered = hosts.list_all(self._context, SYSTEM)
        if not any(host.silent_since for host in registered):
            self._tell("", {})
            return Plan()
        suspect_after = timedelta(seconds=self._settings.suspect_after)
        state = reconciliation.load(self._context)
        silent = {host.name for host in silent_hosts(state, suspect_after)}
        places = (SshAddress(host.name, host.address, host.ssh_port) for host in registered if host.name in silent)
        answers = ask(places, timeout=_ASK_TIMEOUT)
        confirm_after = timedelta(seconds=self._settings.confirm_after)
        health = judge(state, answers, suspect_after=suspect_after, confirm_after=confirm_after)
        self._tell(health.doubt, dict(health.held))
        plan = Plan(health.fences)
        self._apply(plan)
        return plan

    @property
    def _fresh(self) -> timedelta:
        return timedelta(seconds=max(15.0, 3 * self._settings.observe_interval))

    def _tell(self, doubt: str, held: dict[str, str]) -> None:
        """Say once what changed in the view of silent hosts."""
        if doubt and doubt != self._doubt:
            _log.error("hosts.too_many_silent", reason=doubt)
        for host, reason in held.items():
            if self._held.get(host) != reason:
                _log.warning("host.not_fenced", host=host, reason=reason)
        self._doubt, self._held = doubt, held

    def _apply(self, plan: Plan) -> None:
        if not plan.intents:
            return
        for applied in reconciliation.apply(self._context, plan):
            told = {"intent": type(applied.intent).__name__, "because": applied.intent.reason.message}
            if applied.refusal:
                _log.info("intent.refused", **told, refusal=applied.refusal)
            else:
                self._applied += 1
                _log.info("intent.applied", **told, operation=applied.operation, request_id=applied.request_id)

    def _expire(self) -> None:
        expired = operations.expire(self._context)
        if expired:
            _log.warning("operation.leases_expired", count=expired)

    def _expire_reservations(self) -> None:
        expired = reservations.expire(self._context)
        if expired:
            _log.info("reservation.expired", count=expired)

    def _reconcile_forever(self) -> None:
        hints = self._context.hints
        while not self._stop.is_set():
            mark = hints.mark("observations")
            self._attempt(self.reconcile)
            hints.wait("observations", self._settings.reconcile_interval, since=mark)
            self._stop.wait(_BREATH)

    def _every(self, seconds: float, body: Callable[[], object]) -> None:
        while not self._stop.wait(seconds):
            self._attempt(body)

    def _attempt(self, body: Callable[[], object]) -> None:
        """A pass that fails is told of and tried again: the next one reads everything afresh."""
        try:
            body()
        except Exception:
            _log.exception("controller.failed")
            self._stop.wait(_EXPIRE_EVERY)


def plan_all(state: FleetState, *, fresh: timedelta) -> tuple[Intent, ...]:
    """Everything that one pass wants done: first that for which somebody waits."""
    return (
        *plan_rescues(state, limit=_AT_MOST),
        *plan_turnover(state, limit=_AT_MOST),
        *plan_readmissions(state, limit=_AT_MOST),
        *plan_purges(state, fresh=fresh, limit=_AT_MOST),
        *plan_corrections(state, fresh=fresh, limit=_AT_MOST),
    )
