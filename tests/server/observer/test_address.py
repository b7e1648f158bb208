"""Who answers where libvirt should, asked of real sockets and real certificates."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from minicloud.observer.address import LibvirtAddress, Unreachable, knock, libvirt_address

PKI = Path("/state/pki/client")


WITH_PKI = "pkipath=/state/pki/client"


@pytest.mark.parametrize(
    ("uri", "added", "transport", "host", "port"),
    [
        ("qemu+tls://192.0.2.11/system", f"?{WITH_PKI}", "tls", "192.0.2.11", 16514),
        ("qemu://host.example/system", f"?{WITH_PKI}", "tls", "host.example", 16514),
        ("qemu+tls://[2001:db8::1]:999/system", f"?{WITH_PKI}", "tls", "2001:db8::1", 999),
        ("qemu+tls://h/system?no_verify=1", f"&{WITH_PKI}", "tls", "h", 16514),
        ("qemu+tls://h/system?pkipath=/mine", "", "tls", "h", 16514),
        ("qemu+ssh://root@h/system", "", "ssh", "h", 22),
        ("qemu:///system", "", "", "", 0),
        ("qemu+unix:///system?socket=/run/x", "", "unix", "", 0),
    ],
)
def test_uris_are_read(uri: str, added: str, transport: str, host: str, port: int) -> None:
    assert libvirt_address(uri, PKI) == LibvirtAddress(uri + added, transport, host, port)


class Authority:
    """A CA that certifies servers and clients for a test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
        self._write("cacert.pem", self._sign(self._name, self._key.public_key(), ca=True))
        for role in ("client", "server"):
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, role)])
            self._write(f"{role}cert.pem", self._sign(name, key.public_key(), ca=False))
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            (folder / f"{role}key.pem").write_bytes(pem)

    def _sign(self, name: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate) -> None:
        (self.folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


Serve = Callable[..., LibvirtAddress]


@pytest.fixture
def serve(listener: socket.socket) -> Serve:
    """A libvirt's front door: a TLS handshake with client certificates, and a byte that says yes."""

    def serve(own: Authority, *, trusts: Authority | None = None, byte: bytes = b"\x01") -> LibvirtAddress:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.folder / "servercert.pem", own.folder / "serverkey.pem")
        context.load_verify_locations((trusts or own).folder / "cacert.pem")
        context.verify_mode = ssl.CERT_REQUIRED

        def answer() -> None:
            connection, _peer = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    secured.sendall(byte)
                    secured.recv(1)
            except OSError:
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        return address_of(listener, "tls")

    return serve


def address_of(listener: socket.socket, transport: str) -> LibvirtAddress:
    return LibvirtAddress("qemu+tls://127.0.0.1/system", transport, "127.0.0.1", listener.getsockname()[1])


def test_a_host_that_takes_our_certificate_answers(authority: Authority, serve: Serve) -> None:
    knock(serve(authority), authority.folder)


def test_a_closed_port_is_told_at_once(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = address_of(server, "tls")
    with pytest.raises(Unreachable, match="refused"):
        knock(address, authority.folder)


def test_a_host_that_hangs_behind_its_kernel_is_told_in_time(authority: Authority, listener: socket.socket) -> None:
    begun = time.monotonic()
    with pytest.raises(Unreachable, match=r"did not answer within 0\.3 s"):
        knock(address_of(listener, "tls"), authority.folder, timeout=0.3)
    assert time.monotonic() - begun < 2


def test_another_authoritys_host_is_not_trusted(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with pytest.raises(Unreachable, match="our CA did not sign"):
        knock(serve(other), authority.folder)


def test_a_host_that_trusts_another_authority_says_so(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with pytest.raises(Unreachable):
        knock(serve(authority, trusts=other), authority.folder)


def test_a_host_that_says_no_is_no_host(authority: Authority, serve: Serve) -> None:
    with pytest.raises(Unreachable, match="refused our client certificate"):
        knock(serve(authority, byte=b"\x00"), authority.folder)


def test_other_transports_need_no_certificate(listener: socket.socket, tmp_path: Path) -> None:
    knock(address_of(listener, "ssh"), tmp_path)
    knock(LibvirtAddress("qemu:///system", "", "", 0), tmp_path)
