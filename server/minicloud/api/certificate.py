"""Certificates of hosts."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from minicloud.services import certificate

from .body import parse
from .call import Caller, Changer, answer
from .input import CertificateBody
from .output import Authority, Certificate


async def sign(change: Changer) -> Response:
    """Sign a host's certificate request with minicloud's own authority."""
    body = parse(CertificateBody, change.body)
    signed = await run_in_threadpool(certificate.sign, change.context, change.actor, body.host, body.csr)
    return answer(Certificate.model_validate(signed), 201)


def authority(call: Caller) -> Response:
    """Read the certificate of minicloud's own authority."""
    return answer(Authority(ca=certificate.authority(call.context)))
