"""Creates whose host cannot carry them out: which may go to another host. Pure."""

from __future__ import annotations

from minicloud_core.model.reason import Reason

from minicloud.services.view.fleet import FleetCreate, FleetState, ReplaceCreate


def plan_rescues(state: FleetState, *, limit: int) -> tuple[ReplaceCreate, ...]:
    """Creates to place again.

    One that no run ever began may go from any host that is not ready. One that was begun may have left a running
    domain behind: it goes only once its host's power is proven off.
    """
    rescues = [
        ReplaceCreate(create.operation, _why(create))
        for create in sorted(state.creates, key=lambda one: (one.created_at, one.operation))
        if _is_safe(create)
    ]
    return tuple(rescues[:limit])


def _is_safe(create: FleetCreate) -> bool:
    return create.host_state == "down" if create.begun else create.host_state != "ready"


def _why(create: FleetCreate) -> Reason:
    if create.host_state == "down":
        return Reason("host.down", f"{create.host} went down before the VM ran there, and its power is proven off")
    return Reason("host.not_ready", f"{create.host} is {create.host_state}, and nothing was begun there yet")
