"""A real service whose hands are idle: its playbooks say that everything was done, and its hosts are words.

For what is about the service and its callers alone, where hundreds of QEMUs, or any, would be in the way. API, store,
scheduler, runner and ansible-runner are the real ones, in a real process; observer and controllers are idle too, since
there is nothing to see.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from minicloud.client import Client

from tests.lab.service import Service

PLAYBOOKS = Path(__file__).parent / "playbooks"


@contextmanager
def idle_cloud(state: Path, *, hosts: int, **options: str) -> Iterator[Service]:
    """The service between its start and its end; the state directory is made, and taken away.

    :param options: further ``MINICLOUD_*`` settings without their prefix, lower case.
    """
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, mode=0o700)
    service = Service(
        state,
        ("127.0.0.1:0",),
        options={"playbooks": str(PLAYBOOKS), **options},
        program=(sys.executable, "-m", "tests.idle.serve"),
    )
    try:
        service.start()
        _furnish(service, hosts)
        yield service
    finally:
        service.stop()
        shutil.rmtree(state)


def _furnish(service: Service, hosts: int) -> None:
    """Register hosts and an image, and tell what an observer would have seen."""
    with Client(service.url, service.token) as client:
        for number in range(1, hosts + 1):
            # An address of TEST-NET-1: nobody answers there.
            client.hosts.register({"name": f"idle{number}", "address": f"192.0.2.{number}"})
        kernel = service.state / "kernel"
        kernel.write_bytes(b"nobody boots this")
        client.images.register({"name": "tiny", "kind": "kernel", "files": [{"role": "kernel", "path": str(kernel)}]})
    _observe(service, hosts)


def _observe(service: Service, hosts: int) -> None:
    from minicloud.services import observation
    from minicloud.services.opening import open_context
    from minicloud.services.view.observation import HostObservation, Measurements, NumaObservation
    from minicloud.settings import Settings

    context = open_context(Settings(state_dir=service.state))
    try:
        for number in range(1, hosts + 1):
            seen = HostObservation(
                f"idle{number}",
                datetime.now(UTC),
                cpu=1024,
                ram_mib=4 * 1024**2,
                disk_bytes=2**44,
                pools={"default": 2**44, "fast": 2**39},
                numa=(NumaObservation(0, 1024, 4 * 1024**2, 2048),),
                machines=("pc", "q35"),
                load=0.0,
                measured=Measurements(memory=0.25, pressure=0.0, network_mbps=12.5, io_latency_ms=0.75),
            )
            observation.record(context, seen)
    finally:
        context.store.close()
