"""host_certificate: what the authority signs, and what it refuses."""

from __future__ import annotations

import datetime
import ipaddress

import pytest
from ansible_collections.enlevohub.datacenter.plugins.action.host_certificate import sign
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from enlevohub_secrets.authority import CERTIFICATE, KEY, make_authority

NAMES = ["db1", "localhost"]
ADDRESSES = ["192.0.2.21", "127.0.0.1"]
HOST_KEY = ec.generate_private_key(ec.SECP256R1())


def subject(name: str) -> x509.Name:
    """Return a subject with a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def make_request(*names: str) -> str:
    """Return the signing request of db1, which asks for further names."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject("db1"))
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(HOST_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def make_short_authority(days: int) -> dict[str, str]:
    """Return an authority that ends soon."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject("short CA"))
        .issuer_name(subject("short CA"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {KEY: private.decode(), CERTIFICATE: certificate.public_bytes(serialization.Encoding.PEM).decode()}


def signed(authority: dict[str, str], request: str = "", days: int = 365) -> x509.Certificate:
    """Return the certificate of db1."""
    pem = sign(request or make_request(), authority[CERTIFICATE], authority[KEY], NAMES, ADDRESSES, days)
    return x509.load_pem_x509_certificate(pem.encode())


@pytest.fixture(scope="module")
def authority() -> dict[str, str]:
    """The authority of a lab."""
    return make_authority("lab")


@pytest.fixture(scope="module")
def certificate(authority: dict[str, str]) -> x509.Certificate:
    """The certificate of db1, whose request asked for another host's name."""
    return signed(authority, make_request("lb1", "enlevohub.example"))


@pytest.mark.parametrize(
    "name",
    [
        *(x509.DNSName(name) for name in NAMES),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES),
    ],
    ids=lambda name: str(name.value),
)
def test_client_verifies_the_chain_for_the_name(
    authority: dict[str, str], certificate: x509.Certificate, name: x509.DNSName | x509.IPAddress
) -> None:
    store = Store([x509.load_pem_x509_certificate(authority[CERTIFICATE].encode())])
    chain = PolicyBuilder().store(store).build_server_verifier(name).verify(certificate, [])
    assert chain[0] == certificate


def test_names_come_from_the_inventory_and_not_from_the_request(certificate: x509.Certificate) -> None:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == NAMES


def test_addresses_come_from_the_inventory(certificate: x509.Certificate) -> None:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in found.get_values_for_type(x509.IPAddress)] == ADDRESSES


def test_certificate_is_for_the_key_of_the_request(certificate: x509.Certificate) -> None:
    assert certificate.public_key() == HOST_KEY.public_key()


def test_certificate_serves_servers_and_clients(certificate: x509.Certificate) -> None:
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_certificate_cannot_sign_others(certificate: x509.Certificate) -> None:
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)


def test_certificate_lasts_the_days_that_were_asked_for(authority: dict[str, str]) -> None:
    left = signed(authority, days=30).not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert abs(left - datetime.timedelta(days=30)) < datetime.timedelta(minutes=1)


def test_certificate_counts_for_a_host_whose_clock_is_minutes_behind(certificate: x509.Certificate) -> None:
    early = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    assert certificate.not_valid_before_utc < early


def test_certificate_never_outlives_its_authority() -> None:
    short = make_short_authority(days=10)
    ends = x509.load_pem_x509_certificate(short[CERTIFICATE].encode()).not_valid_after_utc
    assert signed(short, days=365).not_valid_after_utc == ends


def test_two_certificates_have_different_serial_numbers(authority: dict[str, str]) -> None:
    assert signed(authority).serial_number != signed(authority).serial_number


def test_first_of_several_authorities_signs(authority: dict[str, str]) -> None:
    both = {KEY: authority[KEY], CERTIFICATE: authority[CERTIFICATE] + make_authority("old")[CERTIFICATE]}
    signed(both).verify_directly_issued_by(x509.load_pem_x509_certificate(authority[CERTIFICATE].encode()))


def test_key_of_another_authority_is_refused(authority: dict[str, str]) -> None:
    wrong = {KEY: make_authority("lab")[KEY], CERTIFICATE: authority[CERTIFICATE]}
    with pytest.raises(ValueError, match="pki_ca_key does not belong to the first certificate of pki_ca_certificate"):
        signed(wrong)


def test_request_that_its_own_key_did_not_sign_is_refused(authority: dict[str, str]) -> None:
    request = x509.load_pem_x509_csr(make_request().encode()).public_bytes(serialization.Encoding.DER)
    broken = x509.load_der_x509_csr(request[:-1] + bytes([request[-1] ^ 1]))
    with pytest.raises(ValueError, match="not signed by its own key"):
        signed(authority, broken.public_bytes(serialization.Encoding.PEM).decode())


def test_text_that_is_no_certificate_is_refused(authority: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        signed({KEY: authority[KEY], CERTIFICATE: "not a certificate"})
