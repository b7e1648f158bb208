"""VMs over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypedDict, cast
from urllib.parse import quote

from .page import walk
from .transport import Transport

VERBS: Final = ("start", "stop", "reboot", "reset", "pause", "resume", "migrate")


class Vm(TypedDict, total=False):
    """A VM on the wire. ``ram`` in MiB, disk sizes in bytes, times in RFC 3339.

    ``changed`` and ``placement`` are in the answers to changes alone; ``placement`` where the scheduler chose a host.
    """

    id: str
    name: str
    status: str
    status_reason: str
    desired: str
    host: str | None
    cpu: int
    ram: int
    image: str
    disks: list[dict[str, Any]]
    nics: list[dict[str, Any]]
    addresses: list[str]
    labels: dict[str, str]
    scheduling: dict[str, Any]
    project: str
    uuid: str
    epoch: int
    operation: str | None
    preempted: dict[str, Any] | None
    created_at: str
    updated_at: str
    observed_state: str | None
    changed: bool
    placement: dict[str, Any]


class Vms:
    """``/v1/vms``. A VM is named by its id or its name.

    :param project: where names are looked up and VMs are made; None for the token's own. Only an administrator's
        token, which has none, needs it.
    """

    def __init__(self, transport: Transport, project: str | None = None) -> None:
        self._transport = transport
        self._project = project

    def create(
        self,
        spec: Mapping[str, Any],
        *,
        wait: int = 0,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Vm:
        """Ask for a VM.

        :param spec: ``name`` and any of ``cpu ram image disks nics cloud_init labels host scheduling``; the service has
            defaults. ``reservation`` is the id of one that holds room for it.
        :param wait: seconds that the service may hold the answer until the VM runs; 0 answers at once.
        :param dry_run: only say where it would go, and why.
        """
        return cast(
            Vm,
            self._transport.json(
                "POST",
                "/v1/vms",
                body=spec,
                params=self._params(dry_run),
                headers={"Prefer": f"wait={wait}"} if wait else None,
                timeout=wait + 30.0 if wait else None,
                idempotency_key=idempotency_key,
            ),
        )

    def list(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        host: str | None = None,
        labels: Sequence[str] = (),
        most: int | None = None,
    ) -> Iterator[Vm]:
        """VMs by filter. ``labels`` as ``key=value``."""
        params = {"name": name, "status": status, "host": host, "label": list(labels) or None, "project": self._project}
        return cast(Iterator[Vm], walk(self._transport, "/v1/vms", params, most=most))

    def get(self, ref: str) -> Vm:
        return cast(Vm, self._transport.json("GET", _path(ref), params=self._params()))

    def delete(self, ref: str, *, dry_run: bool = False) -> Vm:
        return cast(Vm, self._transport.json("DELETE", _path(ref), params=self._params(dry_run)))

    def change(self, ref: str, verb: str, *, dry_run: bool = False, **arguments: Any) -> Vm:
        """Carry out one of ``VERBS``; the answer's ``operation`` says how it goes.

        :param arguments: what the verb takes; those that are ``None`` are left out. ``stop`` takes ``force`` and
            ``graceful`` (seconds); ``migrate`` takes ``host`` (without it the scheduler picks one), ``bandwidth_mib``
            (MiB/s) and ``timeout`` (seconds).
        """
        body = {key: value for key, value in arguments.items() if value is not None}
        return cast(Vm, self._transport.json("POST", f"{_path(ref)}/{verb}", body=body, params=self._params(dry_run)))

    def placements(self, ref: str) -> Iterator[dict[str, Any]]:
        """Why the VM is where it is, and was where it was, newest first.

        Each one's ``decision`` has every host with its score, or with what refused it.
        """
        return walk(self._transport, f"{_path(ref)}/placement", self._params())

    def place(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Where a VM of that spec would go now, and why; nothing is kept."""
        return cast(
            dict[str, Any], self._transport.json("POST", "/v1/placements", body=spec, params=self._params(True))
        )

    def console(self, ref: str, *, tail: int | None = None) -> str:
        """What the VM wrote to its serial console; ``tail`` counts bytes from the end."""
        response = self._transport.request("GET", f"{_path(ref)}/console", params={"tail": tail, **self._params()})
        return response.content.decode(errors="replace")

    def _params(self, dry_run: bool = False) -> dict[str, Any]:
        return {"dry_run": "true" if dry_run else None, "project": self._project}


def _path(ref: str) -> str:
    return f"/v1/vms/{quote(ref, safe='')}"
