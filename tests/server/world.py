"""A small fleet to act on, in few words."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from minicloud.services import host, observation, operation, project, vm
from minicloud.services.context import SYSTEM, Actor, Context
from minicloud.services.view.host import HostSpec, HostView
from minicloud.services.view.observation import DomainObservation, HostObservation
from minicloud.services.view.operation import Claim, OperationView, Outcome
from minicloud.services.view.project import Quota
from minicloud.services.view.vm import VmChange, VmCreation, VmView
from minicloud.store.image import ImageRow
from minicloud_core.model.metadata import DomainMetadata
from minicloud_core.model.vm import VmSpec, parse_spec

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GIB = 1024**3
ADMIN = Actor("root", "admin", token="t-admin", request_id="req-1")
LEASE = 30.0


class FixedClock:
    """A clock that moves only when it is told to."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at


class SeededEntropy:
    """Chance that repeats, for any number of threads."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def token(self, size: int) -> bytes:
        with self._lock:
            return self._random.randbytes(size)

    def fraction(self) -> float:
        with self._lock:
            return self._random.random()


@dataclass(frozen=True)
class PlainSettings:
    """The settings that services read."""

    state_dir: Path
    database_url: str = "sqlite://"
    base_url: str = "http://10.77.0.1:8080"

    @property
    def images_dir(self) -> Path:
        return self.state_dir / "images"

    @property
    def pki_dir(self) -> Path:
        return self.state_dir / "pki"


class World:
    """Says what happens in a fleet, the way the rooms around the services do."""

    def __init__(self, context: Context, clock: FixedClock) -> None:
        self.ctx = context
        self.clock = clock
        project.create(context, SYSTEM, "default", Quota())
        self.image("tiny")

    def image(self, name: str, **columns: Any) -> None:
        """An image whose files need not exist."""
        files = [{"role": "kernel", "name": "vmlinuz", "sha256": "a" * 64, "size": 14}]
        defaults: dict[str, Any] = {
            "kind": "kernel",
            "architecture": "x86_64",
            "cmdline": "console=ttyS0",
            "format": "qcow2",
            "min_ram_mib": 0,
            "min_disk": 0,
            "files": files,
            "created_at": self.clock.now(),
        }
        with self.ctx.write() as session:
            session.add(ImageRow(name=name, **{**defaults, **columns}))

    def host(self, name: str, *, cpu: int = 4, ram_mib: int = 8192, disk: int = 100 * GIB, **spec: Any) -> HostView:
        """A host that was registered and observed."""
        number = int("".join(filter(str.isdigit, name)) or 0)
        host.register(self.ctx, ADMIN, HostSpec(name, f"10.77.0.{10 + number}", **spec))
        self.observe(name, cpu=cpu, ram_mib=ram_mib, disk_bytes=disk)
        view = host.get(self.ctx, ADMIN, name)
        assert isinstance(view, HostView)
        return view

    def fleet(self, *names: str, **capacity: Any) -> None:
        for name in names:
            self.host(name, **capacity)

    def get_host(self, name: str) -> HostView:
        view = host.get(self.ctx, ADMIN, name)
        assert isinstance(view, HostView)
        return view

    def observe(
        self,
        name: str,
        domains: Mapping[str, str] | None = None,
        *,
        others: tuple[DomainObservation, ...] = (),
        at: datetime | None = None,
        epoch: int | None = None,
        **measured: Any,
    ) -> bool:
        """A host shows itself.

        :param domains: for VMs by name or id the state that their domains show; others are not there.
        :param others: domains as they are.
        :param epoch: of the domains; None for their VMs'.
        """
        known = self.get_host(name).capacity
        capacity = {"cpu": known.cpu or 4, "ram_mib": known.ram_mib or 8192, "disk_bytes": known.disk_bytes or GIB}
        shown = tuple(self.domain(ref, state, epoch) for ref, state in (domains or {}).items())
        seen = HostObservation(name, at or self.clock.now(), domains=shown + others, **{**capacity, **measured})
        return observation.record(self.ctx, seen)

    def domain(self, ref: str, state: str, epoch: int | None = None) -> DomainObservation:
        """A VM's domain as a host shows it."""
        view = self.vm(ref)
        metadata = DomainMetadata(
            view.id, view.name, view.project, view.spec_hash, view.epoch if epoch is None else epoch
        )
        return DomainObservation(view.uuid, view.id, state, metadata, view.cpu, view.ram_mib)

    def spec(self, name: str = "web01", **body: Any) -> VmSpec:
        return parse_spec({"name": name, **body})

    def create(self, name: str = "web01", *, actor: Actor = ADMIN, **body: Any) -> VmCreation:
        return vm.create(self.ctx, actor, self.spec(name, **body))

    def change(self, ref: str, verb: str, **arguments: Any) -> VmChange:
        return vm.change(self.ctx, ADMIN, ref, verb, **arguments)

    def vm(self, ref: str = "web01") -> VmView:
        return vm.get(self.ctx, ADMIN, ref)

    def operation(self, operation_id: str) -> OperationView:
        return operation.get(self.ctx, ADMIN, operation_id)

    def claim(self, limit: int = 10, owner: str = "runner") -> tuple[Claim, ...]:
        return operation.claim(self.ctx, owner, limit, LEASE)

    def claim_one(self) -> Claim:
        """Claim the only operation that may be begun."""
        (claim,) = self.claim()
        return claim

    def start(self, claim: Claim, run: str = "run-1") -> Claim:
        """Begin a claim that holds."""
        (started,) = operation.started(self.ctx, [claim], run)
        return started

    def succeed(self, claim: Claim, state: str) -> OperationView:
        return operation.finish(self.ctx, claim, Outcome.succeeded({"state": state, "changed": True}))

    def carry_out(self, state: str) -> OperationView:
        """Claim the only operation, run it, and end it well."""
        done = self.succeed(self.start(self.claim_one()), state)
        # Observations must be later than what they are to tell of.
        self.clock.advance(1)
        return done

    def running(self, name: str = "web01", **body: Any) -> VmView:
        """A VM that runs."""
        self.create(name, **body)
        self.carry_out("running")
        return self.vm(name)
