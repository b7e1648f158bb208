"""Certificates: minicloud's own authority, and hosts that may speak with it and each other."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from minicloud.services import audit, certificate
from minicloud_core.model.errors import InputError, NotFoundError, UnavailableError

from tests.server.world import ADMIN, START, World

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def request(name: str = "node1", addresses: tuple[str, ...] = (), key: Key | None = None, alt: str = "") -> str:
    names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
    if alt:
        names.append(x509.DNSName(alt))
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def house(world: World) -> World:
    certificate.initialise(world.ctx)
    return world


def test_the_authority_and_the_services_certificate_are_made_once(house: World) -> None:
    folder = house.ctx.settings.pki_dir
    paths = ["ca.pem", "ca-key.pem", *(f"client/{name}.pem" for name in ("cacert", "clientcert", "clientkey"))]
    before = {path: (folder / path).read_bytes() for path in paths}
    for secret in ("ca-key.pem", "client/clientkey.pem"):
        assert (folder / secret).stat().st_mode & 0o777 == 0o600
    certificate.initialise(house.ctx)
    assert {path: (folder / path).read_bytes() for path in paths} == before
    ca = x509.load_pem_x509_certificate(before["ca.pem"])
    client = x509.load_pem_x509_certificate(before["client/clientcert.pem"])
    client.verify_directly_issued_by(ca)
    purposes = client.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_host_is_certified_as_server_and_client(house: World) -> None:
    house.host("node1")
    signed = certificate.sign(house.ctx, ADMIN, "node1", request(addresses=("10.99.0.7",)))
    leaf = x509.load_pem_x509_certificate(signed.certificate.encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(signed.ca.encode()))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node1"]
    assert {str(one) for one in names.get_values_for_type(x509.IPAddress)} == {"10.77.0.11", "10.99.0.7"}
    purposes = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert purposes == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert leaf.not_valid_after_utc == START + timedelta(days=825)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    entry = audit.list(house.ctx, ADMIN, action="certificate.sign").items[0]
    assert (entry.resource, entry.details["serial"]) == ("node1", f"{leaf.serial_number:x}")


def test_requests_for_others_names_and_weak_or_damaged_ones_are_refused(house: World) -> None:
    house.fleet("node1", "node2")
    weak = rsa.generate_private_key(65537, 1024)
    wrong = {
        "csr": [
            request("node2"),
            request(alt="minicloud"),
            request(addresses=("10.77.0.12",)),
            request(key=weak),
            "",
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        ],
    }
    for csr in wrong["csr"]:
        with pytest.raises(InputError) as caught:
            certificate.sign(house.ctx, ADMIN, "node1", csr)
        assert caught.value.problems[0].field == "csr"
    with pytest.raises(InputError):
        certificate.sign(house.ctx, ADMIN, "node/1", request("node/1"))
    assert audit.list(house.ctx, ADMIN, action="certificate.sign").items == ()


def test_an_unregistered_host_is_certified_for_what_it_asks(house: World) -> None:
    signed = certificate.sign(house.ctx, ADMIN, "node7", request("node7", ("10.77.0.17",)))
    names = x509.load_pem_x509_certificate(signed.certificate.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(one) for one in names.value.get_values_for_type(x509.IPAddress)] == ["10.77.0.17"]


def test_without_an_authority_it_says_so(world: World) -> None:
    with pytest.raises(NotFoundError, match="no certificate authority"):
        certificate.authority(world.ctx)
    with pytest.raises(UnavailableError, match=r"ca\.pem is missing"):
        certificate.sign(world.ctx, ADMIN, "node1", request())
