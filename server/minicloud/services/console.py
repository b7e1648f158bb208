"""What VMs wrote to their serial consoles."""

from __future__ import annotations

from typing import Protocol

from minicloud_core.model.errors import ConflictError

from . import vm as vms
from .context import Actor, Context


class ConsoleReader(Protocol):
    """Reads serial logs off hosts."""

    def read_console(self, host: str, uuid: str, tail: int) -> bytes:
        """The last ``tail`` bytes that a domain wrote; nothing where it has written nothing yet.

        :raises UnavailableError: when the host cannot be asked.
        """


def read(
    ctx: Context, actor: Actor, reader: ConsoleReader, reference: str, *, tail: int, project: str | None = None
) -> bytes:
    """The end of a VM's serial log. No transaction is open while the host is asked.

    :param reference: the VM's id or name.
    :param tail: bytes.
    :raises NotFoundError: when there is no such VM for the actor.
    :raises ConflictError: when it is on no host.
    :raises UnavailableError: when its host cannot be asked.
    """
    vm = vms.get(ctx, actor, reference, project=project)
    if vm.host is None:
        raise ConflictError(f"{vm.name} is on no host, so nobody has its console log", hint=f"it is {vm.status}")
    return reader.read_console(vm.host, vm.uuid, tail)
