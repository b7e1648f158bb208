"""The one table of routes: what is served where, by whom, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from . import (
    audit,
    batch,
    certificate,
    event,
    health,
    host,
    image,
    inventory,
    metrics,
    operation,
    placement,
    project,
    reservation,
    token,
    vm,
)
from . import input as body
from . import output as shape

TEXT: Final = "text/plain"
BYTES: Final = "application/octet-stream"
EVENTS: Final = "text/event-stream"
NOTHING: Final = ""

# A status's answer: a shape (or a union of some) in JSON, or a media type.
Answer = Any


@dataclass(frozen=True)
class Route:
    """One method on one path.

    :param answers: by status; the first is what a reader should expect. Problems go without saying.
    :param body: the shape of the request's body.
    :param public: served without a token.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]
    answers: Mapping[int, Answer]
    body: type[BaseModel] | None = None
    public: bool = False


_CREATED: Final = {202: shape.VmAnswer, 201: shape.VmAnswer, 200: shape.VmAnswer}
_RESERVED: Final = {
    201: shape.ReservationAnswer | shape.ReservationAnswers,
    200: shape.ReservationAnswer | shape.ReservationAnswers,
}
_CHANGED: Final = {202: shape.VmAnswer, 200: shape.VmAnswer}

ROUTES: Final = (
    Route("POST", "/v1/vms", vm.create, _CREATED, body.VmCreateBody),
    Route("GET", "/v1/vms", vm.list_, {200: shape.Page[shape.Vm]}),
    Route("GET", "/v1/vms/{vm}", vm.get, {200: shape.Vm}),
    Route("DELETE", "/v1/vms/{vm}", vm.delete, _CHANGED, body.ChangeBody),
    Route("POST", "/v1/vms/{vm}/start", vm.start, _CHANGED, body.ChangeBody),
    Route("POST", "/v1/vms/{vm}/stop", vm.stop, _CHANGED, body.StopBody),
    Route("POST", "/v1/vms/{vm}/reboot", vm.reboot, _CHANGED, body.ChangeBody),
    Route("POST", "/v1/vms/{vm}/reset", vm.reset, _CHANGED, body.ChangeBody),
    Route("POST", "/v1/vms/{vm}/pause", vm.pause, _CHANGED, body.ChangeBody),
    Route("POST", "/v1/vms/{vm}/resume", vm.resume, _CHANGED, body.ChangeBody),
    Route("POST", "/v1/vms/{vm}/migrate", vm.migrate, _CHANGED, body.MigrateBody),
    Route("GET", "/v1/vms/{vm}/placement", vm.explain, {200: shape.Page[shape.Placement]}),
    Route("GET", "/v1/vms/{vm}/console", vm.read_console, {200: TEXT}),
    Route("POST", "/v1/batches", batch.create, {202: shape.BatchAnswer, 200: shape.BatchAnswer}, body.BatchBody),
    Route("GET", "/v1/placements", placement.list_, {200: shape.Page[shape.PlacementRecord]}),
    Route("GET", "/v1/placements/{placement}", placement.get, {200: shape.PlacementDetail}),
    Route("POST", "/v1/placements", placement.decide, {200: shape.Decision}, body.VmBody),
    Route("POST", "/v1/reservations", reservation.create, _RESERVED, body.ReservationBody),
    Route("GET", "/v1/reservations", reservation.list_, {200: shape.Page[shape.Reservation]}),
    Route("GET", "/v1/reservations/{reservation}", reservation.get, {200: shape.ReservationDetail}),
    Route("DELETE", "/v1/reservations/{reservation}", reservation.release, {200: shape.ReservationAnswer}),
    Route("POST", "/v1/hosts", host.register, {201: shape.HostAnswer, 200: shape.HostAnswer}, body.HostBody),
    Route("GET", "/v1/hosts", host.list_, {200: shape.HostPage}),
    Route("GET", "/v1/hosts/{host}", host.get, {200: shape.AnyHost}),
    Route("DELETE", "/v1/hosts/{host}", host.remove, {204: NOTHING}),
    Route("POST", "/v1/hosts/{host}/cordon", host.cordon, {200: shape.HostAnswer}, body.ReasonBody),
    Route("POST", "/v1/hosts/{host}/uncordon", host.uncordon, {200: shape.HostAnswer}, body.ReasonBody),
    Route(
        "POST", "/v1/hosts/{host}/fence", host.fence, {202: shape.HostAnswer, 200: shape.HostAnswer}, body.ReasonBody
    ),
    Route("GET", "/v1/hosts/{host}/domains", host.domains, {200: shape.Page[shape.Domain]}),
    Route("GET", "/v1/operations", operation.list_, {200: shape.Page[shape.Operation]}),
    Route("GET", "/v1/operations/{operation}", operation.get, {200: shape.Operation}),
    Route("POST", "/v1/operations/{operation}/cancel", operation.cancel, {200: shape.Operation}, body.ReasonBody),
    Route("GET", "/v1/operations/{operation}/events", operation.events, {200: shape.Page[shape.OperationEvent]}),
    Route("GET", "/v1/operations/{operation}/log", operation.log, {200: TEXT}),
    Route("POST", "/v1/operations/{operation}/lease", operation.lease, {200: shape.Operation}, body.LeaseBody),
    Route("POST", "/v1/operations/{operation}/result", operation.report, {200: shape.Operation}, body.ResultBody),
    Route("POST", "/v1/images", image.register, {201: shape.Image, 200: shape.Image}, body.ImageBody),
    Route("GET", "/v1/images", image.list_, {200: shape.Page[shape.Image]}),
    Route("GET", "/v1/images/{image}", image.get, {200: shape.Image}),
    Route("DELETE", "/v1/images/{image}", image.remove, {204: NOTHING}),
    Route("GET", "/v1/images/{image}/files/{file}", image.download, {200: BYTES, 206: BYTES}, public=True),
    Route("GET", "/v1/certificates", certificate.authority, {200: shape.Authority}),
    Route("POST", "/v1/certificates", certificate.sign, {201: shape.Certificate}, body.CertificateBody),
    Route("POST", "/v1/projects", project.create, {201: shape.Project, 200: shape.Project}, body.ProjectBody),
    Route("GET", "/v1/projects", project.list_, {200: shape.Page[shape.Project]}),
    Route("GET", "/v1/projects/{project}", project.get, {200: shape.Project}),
    Route("PUT", "/v1/projects/{project}/quota", project.set_quota, {200: shape.Project}, body.QuotaBody),
    Route("POST", "/v1/tokens", token.create, {201: shape.TokenCreation, 200: shape.TokenCreation}, body.TokenBody),
    Route("GET", "/v1/tokens", token.list_, {200: shape.Page[shape.Token]}),
    Route("DELETE", "/v1/tokens/{token}", token.revoke, {204: NOTHING}),
    Route("GET", "/v1/audit", audit.list_, {200: shape.Page[shape.AuditEntry]}),
    Route("GET", "/v1/events", event.stream, {200: EVENTS}),
    Route("GET", "/v1/inventory", inventory.read, {200: shape.Inventory}),
    Route("GET", "/healthz", health.alive, {200: shape.Health}, public=True),
    Route("GET", "/readyz", health.ready, {200: shape.Health, 503: shape.Health}, public=True),
    Route("GET", "/metrics", metrics.read, {200: TEXT}, public=True),
)
