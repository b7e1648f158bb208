"""Where a host's libvirt is, and whether anybody answers there."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

TLS_PORT = 16514
_PORTS = {"tls": TLS_PORT, "tcp": 16509, "ssh": 22, "libssh": 22, "libssh2": 22}


class Unreachable(Exception):  # noqa: N818 - a finding about a host, not a fault of the caller
    """Nobody answers; the message says how it showed."""


@dataclass(frozen=True)
class LibvirtAddress:
    """A libvirt URI taken apart. ``transport`` is empty for a local one, and so is ``host`` then."""

    uri: str
    transport: str
    host: str
    port: int


def libvirt_address(uri: str, pki: Path) -> LibvirtAddress:
    """Read a URI such as ``qemu+tls://192.0.2.11/system`` and add where our client certificate is.

    :param pki: the folder with ``cacert.pem``, ``clientcert.pem`` and ``clientkey.pem``; used for TLS alone.
    """
    parts = urlsplit(uri)
    transport = parts.scheme.partition("+")[2] or ("tls" if parts.hostname else "")
    if transport == "tls" and "pkipath" not in dict(parse_qsl(parts.query)):
        query = "&".join(filter(None, (parts.query, urlencode({"pkipath": str(pki)}, quote_via=quote, safe="/"))))
        uri = urlunsplit(parts._replace(query=query))
    return LibvirtAddress(uri, transport, parts.hostname or "", parts.port or _PORTS.get(transport, 0))


def knock(address: LibvirtAddress, pki: Path, *, timeout: float = 2.0) -> None:
    """See in bounded time whether somebody answers, since opening a libvirt connection waits without bound.

    A daemon that hangs accepts TCP all the same, so over TLS the whole handshake is made, up to the byte by which
    libvirt says that it takes our certificate.

    :param timeout: seconds, for the connection and again for the handshake.
    :raises Unreachable: when nobody does, or our certificate is not taken.
    """
    if not address.port:
        return
    place = f"{address.host}:{address.port}"
    try:
        with socket.create_connection((address.host, address.port), timeout) as connection:
            if address.transport == "tls":
                _shake_hands(connection, pki, place)
    except TimeoutError as error:
        raise Unreachable(f"{place} did not answer within {timeout:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"{place} showed a certificate that our CA did not sign: {error.verify_message}") from error
    except OSError as error:
        raise Unreachable(f"{place} cannot be reached: {error.strerror or error}") from error


def _shake_hands(connection: socket.socket, pki: Path, place: str) -> None:
    context = ssl.create_default_context(cafile=str(pki / "cacert.pem"))
    # libvirt compares the names itself when the connection is opened; here it is about who answers at all.
    context.check_hostname = False
    context.load_cert_chain(pki / "clientcert.pem", pki / "clientkey.pem")
    with context.wrap_socket(connection) as secured:
        if secured.recv(1) != b"\x01":
            raise Unreachable(f"{place} refused our client certificate: is it signed by the CA that the host trusts?")
