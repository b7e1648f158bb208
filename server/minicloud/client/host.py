"""Hosts over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, cast
from urllib.parse import quote

from .page import walk
from .transport import Transport


class Host(TypedDict, total=False):
    """A host on the wire. Who is no administrator sees its name and state alone.

    ``allocated`` is what is promised to VMs: ``cpu``, ``ram_mib``, ``disk_bytes``. ``load`` goes from 0 to 1.
    ``dedicated`` names projects; ``power`` has ``idle_w`` and ``max_w``. ``pools`` are bytes by name, ``measured`` what
    of ``memory``, ``pressure``, ``network_mbps`` and ``io_latency_ms`` is known. ``operation`` is there in the answer
    to a fence.
    """

    name: str
    state: str
    cordoned: bool
    address: str
    state_reason: str
    cpu: int
    ram_mib: int
    disk_bytes: int
    allocated: dict[str, int]
    vms: int
    labels: dict[str, str]
    accelerator: str
    load: float | None
    measured: dict[str, float | None]
    pools: dict[str, int] | None
    numa: list[dict[str, int]] | None
    seats: dict[str, list[int]]
    machines: list[str] | None
    images: list[str] | None
    dedicated: list[str]
    power: dict[str, float] | None
    bandwidth_mbps: int | None
    libvirt_uri: str
    fence_agent: str | None
    observed_at: str | None
    operation: str | None


class Hosts:
    """``/v1/hosts``. A host's id is its name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(self, spec: Mapping[str, Any], *, dry_run: bool = False) -> Host:
        """Make a host known, or change what is known of it."""
        params = {"dry_run": "true" if dry_run else None}
        return cast(Host, self._transport.json("POST", "/v1/hosts", body=spec, params=params))

    def list(self) -> Iterator[Host]:
        return cast(Iterator[Host], walk(self._transport, "/v1/hosts"))

    def get(self, name: str) -> Host:
        return cast(Host, self._transport.json("GET", _path(name)))

    def remove(self, name: str) -> None:
        """Forget a host; refused while VMs are on it."""
        self._transport.request("DELETE", _path(name))

    def cordon(self, name: str, *, reason: str = "") -> Host:
        return self._change(name, "cordon", reason)

    def uncordon(self, name: str, *, reason: str = "") -> Host:
        return self._change(name, "uncordon", reason)

    def fence(self, name: str, *, reason: str = "") -> Host:
        """Turn the host's power off by its fence agent; the answer's ``operation`` says how it goes."""
        return self._change(name, "fence", reason)

    def domains(self, name: str) -> Iterator[dict[str, Any]]:
        """Every domain that libvirt has there, those that minicloud did not make among them."""
        return walk(self._transport, f"{_path(name)}/domains")

    def _change(self, name: str, verb: str, reason: str) -> Host:
        """``reason`` is kept in the audit."""
        body = {"reason": reason} if reason else {}
        return cast(Host, self._transport.json("POST", f"{_path(name)}/{verb}", body=body))


def _path(name: str) -> str:
    return f"/v1/hosts/{quote(name, safe='')}"
