"""A trace played on a fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import process_time

from minicloud_core.model.errors import InputError, Problem
from minicloud_core.scheduler.batch import Batch, BatchDecision, place_batch, take_batch
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.group import Group, NewVm
from minicloud_core.scheduler.obstacle import Obstacle
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.preemption import Victim, left_behind, name_of_disks
from minicloud_core.scheduler.request import Request

from .report import Report
from .tally import Tally
from .trace import Step
from .usage import Course, Gauge
from .verdict import Verdict


def replay(
    fleet: Fleet, steps: Iterable[Step], policy: Policy, record: Callable[[Verdict], None] | None = None
) -> Report:
    """Play a trace, and say what came of it. The fleet is changed by it.

    :param record: is handed each verdict as soon as it is known.
    :raises InputError: naming the line that creates what is there, or deletes what never was.
    """
    return _Replay(fleet, policy, record).run(steps)


class _Replay:
    def __init__(self, fleet: Fleet, policy: Policy, record: Callable[[Verdict], None] | None) -> None:
        self._fleet, self._policy, self._record = fleet, policy, record
        self._scheduler = Scheduler(fleet, policy)
        self._gauge = Gauge(fleet, policy)
        self._course = Course(self._gauge)
        self._tally = Tally()
        # VMs that found no host or had to leave theirs, until they are deleted or found one: whoever wrote the trace
        # knows nothing of that.
        self._homeless: set[str] = set()
        self._deletes, self._deletes_of_refused = 0, 0
        self._cpu_seconds = 0.0

    def run(self, steps: Iterable[Step]) -> Report:
        at = 0.0
        for step in steps:
            at = step.at
            self._course.step(at)
            if step.group is not None:
                self._create_group(step, step.group)
            elif step.request is not None:
                self._create(step, step.request)
            else:
                self._delete(step)
        return self._report(at)

    def _create(self, step: Step, request: Request) -> None:
        self._check_free(step, step.vm, "vm.id")
        started = process_time()
        verdict = self._decide(step, request)
        self._cpu_seconds += process_time() - started
        self._note(request, verdict)

    def _create_group(self, step: Step, group: Group) -> None:
        for index, vm in enumerate(group.vms):
            self._check_free(step, vm.id, f"vms.{index}.id")
        started = process_time()
        decision = place_batch(self._fleet, Batch((group,)), self._policy, now=step.at)
        take_batch(self._scheduler, decision)
        verdicts = [(vm.request, self._verdict(step.at, vm, decision)) for vm in group.members()]
        self._cpu_seconds += process_time() - started
        for request, verdict in verdicts:
            self._note(request, verdict)

    def _verdict(self, at: float, vm: NewVm, decision: BatchDecision) -> Verdict:
        """One VM of a group: where it went, why it went nowhere, or because of which other it did not."""
        if not decision.left_out:
            return Verdict(at, vm.id, decision.host(vm.id), decision.decisions[vm.id].score)
        (left,) = decision.left_out
        if vm.id == left.because:
            return Verdict(at, vm.id, None, obstacles=decision.decisions[vm.id].told.obstacles)
        words = f"{left.because} of group {left.group} found no host, and all of it are placed or none"
        everywhere = (Obstacle("group", len(self._fleet), 0, words),) if len(self._fleet) else ()
        return Verdict(at, vm.id, None, obstacles=everywhere)

    def _check_free(self, step: Step, vm: str, field: str) -> None:
        host = self._fleet.where(vm)
        if host is not None:
            raise _wrong(step, field, f"{vm} is there already, on {host}", "an id that is free")

    def _note(self, request: Request, verdict: Verdict) -> None:
        self._tally.count(request, verdict)
        if verdict.host is None:
            self._homeless.add(verdict.vm)
        else:
            self._forget(verdict.vm)
        if self._record is not None:
            self._record(verdict)

    def _decide(self, step: Step, request: Request) -> Verdict:
        chosen = self._scheduler.choose_scored(request, now=step.at)
        victims: tuple[Victim, ...] = ()
        if chosen is None:
            plan = self._scheduler.preempt(request, now=step.at)
            if plan is None:
                obstacles = self._scheduler.obstacles(request, now=step.at)
                return Verdict(step.at, step.vm, None, obstacles=obstacles)
            chosen, victims = (plan.host, plan.score), plan.victims
        host, score = chosen
        self._evict(victims)
        self._scheduler.take(step.vm, host, request)
        return Verdict(step.at, step.vm, host, score, preempts=victims)

    def _evict(self, victims: tuple[Victim, ...]) -> None:
        """Stop VMs for one that takes their place. They are not placed again, and their disks stay."""
        for victim in victims:
            host, remains = str(self._fleet.where(victim.vm)), left_behind(self._fleet.request_of(victim.vm))
            self._fleet.remove(victim.vm)
            self._fleet.add(name_of_disks(victim.vm), host, remains)
            self._homeless.add(victim.vm)

    def _delete(self, step: Step) -> None:
        if self._fleet.where(step.vm) is not None:
            self._fleet.remove(step.vm)
            self._deletes += 1
        elif step.vm in self._homeless:
            self._forget(step.vm)
            self._deletes_of_refused += 1
        else:
            raise _wrong(step, "id", f"there is no VM {step.vm}", "one of the fleet, or one created on a line above")

    def _forget(self, vm: str) -> None:
        """A VM is nowhere no longer: it was deleted, or is another of that id. What it left behind goes."""
        self._homeless.discard(vm)
        if self._fleet.where(name_of_disks(vm)) is not None:
            self._fleet.remove(name_of_disks(vm))

    def _report(self, at: float) -> Report:
        tally = self._tally
        return Report(
            policy=self._policy.name,
            policy_version=self._policy.version,
            placed=tally.placed,
            refused=tally.refused,
            preempted=tally.preempted,
            deletes=self._deletes,
            deletes_of_refused=self._deletes_of_refused,
            first_refusal=tally.first_refusal,
            refused_by=tally.refused_by(),
            utilisation=self._course.ended(at),
            fragmentation=tally.fragmentation(self._gauge),
            cpu_seconds=self._cpu_seconds,
        )


def _wrong(step: Step, field: str, message: str, allowed: str) -> InputError:
    return InputError([Problem(f"{step.place}: {field}", message, allowed)])
