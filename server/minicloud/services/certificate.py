"""minicloud's own certificate authority: who may speak libvirt's TLS with whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from minicloud_core.model.errors import InputError, NotFoundError, Problem, UnavailableError
from minicloud_core.model.name import check_name

from minicloud.store import host as hosts

from . import audit, key_file
from .authorisation import require_admin
from .context import Actor, Context
from .view.certificate import SignedCertificate

__all__ = ["SignedCertificate", "authority", "initialise", "sign"]

AUTHORITY_VALID: Final = timedelta(days=3650)
# What Apple and browsers accept at most; a host is onboarded again before that.
HOST_VALID: Final = timedelta(days=825)
# Clocks of hosts may be a little behind.
SLACK: Final = timedelta(minutes=10)
RSA_BITS_MIN: Final = 2048

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def initialise(ctx: Context) -> None:
    """Make the authority, and the service's own client certificate where libvirt's ``pkipath`` looks for it.

    ``pki/ca.pem``, ``pki/ca-key.pem``, ``pki/client/{cacert.pem,clientcert.pem,clientkey.pem}``. What is there stays.
    """
    folder = ctx.settings.pki_dir
    if not (folder / "ca.pem").exists():
        _make_authority(ctx, folder)
    client = folder / "client"
    if not (client / "clientcert.pem").exists():
        _make_client(ctx, client)


def authority(ctx: Context) -> str:
    """The authority's certificate, as PEM text.

    :raises NotFoundError: before there is one.
    """
    path = ctx.settings.pki_dir / "ca.pem"
    if not path.exists():
        raise NotFoundError("There is no certificate authority yet", hint="run `minicloud init`")
    return path.read_text()


def sign(ctx: Context, actor: Actor, host: str, csr: str) -> SignedCertificate:
    """Certify a host's key, as server and as client (a source of migrations is a client of their destination).

    :param csr: a PKCS#10 request as PEM text. Its names must be the host's, its addresses those it asks for.
    :raises ForbiddenError: unless the actor administers.
    :raises InputError: when the request is damaged, weak, or asks for another's name.
    """
    require_admin(actor)
    problems = check_name(host, field="host")
    if problems:
        raise InputError(problems)
    request = _read_request(csr)
    addresses = _addresses(ctx, host, request)
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    certificate = _certify(ctx, host, _public_key(request), names)
    with ctx.write() as session:
        audit.note(
            ctx,
            session,
            actor,
            "certificate.sign",
            host,
            serial=f"{certificate.serial_number:x}",
            addresses=addresses,
            until=certificate.not_valid_after_utc.isoformat(),
        )
    return SignedCertificate(_pem(certificate), authority(ctx))


def _read_request(csr: str) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        valid = request.is_signature_valid
    except (ValueError, InvalidSignature) as error:
        raise _wrong("csr", f"not a certificate request: {error}", "a PKCS#10 request as PEM text") from error
    if not valid:
        raise _wrong("csr", "the request's own signature is wrong", "a request signed by the key that it asks for")
    return request


def _public_key(request: x509.CertificateSigningRequest) -> PublicKey:
    key = request.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS_MIN:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256:
        return key
    raise _wrong("csr", "the request's key is too weak", "RSA of 2048 bits or more, or an elliptic curve of 256")


def _addresses(ctx: Context, host: str, request: x509.CertificateSigningRequest) -> list[str]:
    """The IP addresses to certify: those asked for, and the one that the host is registered with."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    foreign = [name for name in names.get_values_for_type(x509.DNSName) if name not in (host, "localhost")]
    common = [attribute.value for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    foreign += [str(name) for name in common if name != host]
    if foreign:
        raise _wrong("csr", f"it asks for {', '.join(foreign)}, which is not {host}", f"names of {host} alone")
    asked = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    with ctx.read() as session:
        row = hosts.find(session, host)
        others = {other.address: other.name for other in hosts.everything(session) if other.name != host}
    taken = sorted(asked & others.keys())
    if taken:
        raise _wrong("csr", f"{taken[0]} is the address of {others[taken[0]]}", f"addresses of {host} alone")
    return sorted(asked | _registered({row.address, row.migrate_address} if row else set()))


def _registered(addresses: set[str]) -> set[str]:
    found = set()
    for address in addresses:
        try:
            found.add(str(ipaddress.ip_address(address)))
        except ValueError:
            continue
    return found


def _make_authority(ctx: Context, folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = ctx.clock.now()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "minicloud certificate authority")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + AUTHORITY_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    # The key first: whoever finds the certificate may count on the key.
    key_file.write(folder / "ca-key.pem", _private_pem(key))
    key_file.write(folder / "ca.pem", _pem(certificate).encode(), mode=0o644)


def _make_client(ctx: Context, folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certify(ctx, "minicloud", key.public_key(), [], server=False)
    key_file.write(folder / "clientkey.pem", _private_pem(key))
    key_file.write(folder / "cacert.pem", authority(ctx).encode(), mode=0o644)
    key_file.write(folder / "clientcert.pem", _pem(certificate).encode(), mode=0o644)


def _certify(
    ctx: Context, name: str, key: PublicKey, names: Sequence[x509.GeneralName], *, server: bool = True
) -> x509.Certificate:
    issuer, issuer_key = _load_authority(ctx.settings.pki_dir)
    now = ctx.clock.now()
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if server else [])]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(min(now + HOST_VALID, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _load_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), password=None)
    except FileNotFoundError as error:
        raise UnavailableError(
            f"The certificate authority is incomplete: {error.filename} is missing",
            hint="run `minicloud init`, or restore the state directory",
        ) from error
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return certificate, key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _wrong(field: str, message: str, allowed: str) -> InputError:
    return InputError([Problem(field, message, allowed)])
