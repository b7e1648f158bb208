"""The service as a process: everything is put together here, started in order, and stopped in the other."""

from __future__ import annotations

import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Protocol

import structlog
import uvicorn
from prometheus_client import ProcessCollector, disable_created_metrics
from starlette.types import ASGIApp

from . import log, pid_file
from .api.app import create_app
from .api.call import Probe, Room
from .controllers.service import Controllers
from .initialisation import check_initialised
from .observer.service import Observer
from .part_metrics import PartsCollector
from .policy_file import open_policy
from .refusal import RefusalError
from .runner.service import Runner
from .services.context import Context
from .services.opening import open_context
from .settings import Settings, split_address

logger = structlog.get_logger("minicloud.daemon")

# How long answers under way may take once the service is told to stop.
_ANSWER_GRACE: Final = 5
# Longer than clients keep a connection idle, so that it is they who close it, never we while they send.
_KEEP_ALIVE: Final = 75


# Seconds (5 ms is CPython's own). A transaction lets go of the interpreter for each row that SQLite writes, and with
# other threads at work waits so long to have it back, while all who want to write wait for it: with 50 creates a
# second, their p99 was 130 to 330 ms, and is 70 to 130.
_SWITCH_INTERVAL: Final = 0.0005


class Part(Protocol):
    """A part of the service that works by itself, on threads of its own."""

    def start(self) -> None: ...

    def stop(self, timeout: float) -> None:
        """Stop; ``timeout`` seconds are given to what is under way."""

    @property
    def healthy(self) -> bool: ...


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    :raises RefusalError: it is not initialised, another service runs there, or an address is taken.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    log.configure(settings.log_level, settings.log_format)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody reads
    policy = open_policy(settings.policy)
    check_initialised(settings)
    with ExitStack() as stack:
        stack.enter_context(pid_file.held(settings.pid_file))
        sockets = [stack.enter_context(listen_on(address)) for address in settings.listen]
        settings = settings.listening_on([listener.getsockname()[1] for listener in sockets])
        context = open_context(settings, policy=policy)
        stack.callback(context.store.close)
        observer, runner = Observer(context, settings), Runner(context, settings)
        controllers = Controllers(context, settings)
        parts: dict[str, Part] = {"observer": observer, "runner": runner, "controllers": controllers}
        room = Room(context, console=observer, probes=make_probes(context, parts))
        room.registry.register(PartsCollector(observer, runner, controllers))
        ProcessCollector(registry=room.registry)
        # Parts that stop first started last: nothing is decided that nobody would carry out.
        for name, part in parts.items():
            stack.enter_context(running(name, part, settings.stop_grace))
        app = create_app(room)
        _spare_the_collector()
        for address in settings.listen:
            logger.info("listening", address=address)
        run_server(app, sockets, on_stop=room.relay.stop)
        logger.info("stopping")
    logger.info("stopped")


def _spare_the_collector() -> None:
    """Have the garbage collector never look again at what is there now: modules, mostly, and for good.

    It would at every full collection, 150,000 objects in 120 ms during which nobody is answered.
    """
    gc.collect()
    gc.freeze()


def make_probes(context: Context, parts: dict[str, Part]) -> dict[str, Probe]:
    """What ``/readyz`` asks: the database, then each part."""

    def probe_database() -> str | None:
        return context.store.trouble()

    def probe(part: Part) -> Probe:
        return lambda: None if part.healthy else "it does not run"

    return {"database": probe_database, **{name: probe(part) for name, part in parts.items()}}


@contextmanager
def listen_on(address: str) -> Iterator[socket.socket]:
    """A socket that listens.

    :raises RefusalError: the address cannot be had.
    """
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, since asyncio switches Nagle off (40 ms an answer) only on sockets whose protocol says TCP.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(256)
        except OSError as error:
            raise RefusalError(
                f"cannot listen on {address}: {error.strerror}",
                hint="stop what listens there, or name another address with --listen",
                exit_code=5,
            ) from error
        yield listener


@contextmanager
def running(name: str, part: Part, grace: float) -> Iterator[None]:
    """A part between its start and its stop."""
    part.start()
    try:
        yield
    finally:
        logger.info("stopping part", part=name)
        part.stop(grace)


class Server(uvicorn.Server):
    """uvicorn, telling those who wait on an answer that the service stops: it would wait for them in vain."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)


def run_server(app: ASGIApp, sockets: Sequence[socket.socket], on_stop: Callable[[], None]) -> None:
    """Serve ``app`` on the sockets until a signal."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_ANSWER_GRACE,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has stopped; by then there is nothing left to interrupt.
        signal.signal(number, _ignore)
    Server(config, on_stop).run(sockets=list(sockets))


def _ignore(_number: int, _frame: Any) -> None:
    return
