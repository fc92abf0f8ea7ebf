"""The certificate authority of an environment."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from enlevohub_secrets.authority import CERTIFICATE, KEY, make_authority


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    """A fresh authority's certificate."""
    return x509.load_pem_x509_certificate(make_authority("lab")[CERTIFICATE].encode())


def test_authority_is_named_after_its_environment(certificate: x509.Certificate) -> None:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == ["EnlevoHub lab CA"]


def test_authority_signs_itself(certificate: x509.Certificate) -> None:
    certificate.verify_directly_issued_by(certificate)


def test_authority_uses_the_curve_p256(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_authority_lasts_ten_years(certificate: x509.Certificate) -> None:
    lasts = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lasts == datetime.timedelta(days=3652)


def test_authority_may_sign_servers_but_no_further_authorities(certificate: x509.Certificate) -> None:
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))


def test_authority_may_sign_certificates_and_nothing_else_but_revocations(certificate: x509.Certificate) -> None:
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)


def test_authority_has_a_subject_key_identifier(certificate: x509.Certificate) -> None:
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert identifier == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())


def test_two_authorities_differ() -> None:
    assert make_authority("lab")[KEY] != make_authority("lab")[KEY]
