"""The CA of the environment: readable, valid, and one pair."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_certificates import authority_problems
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.preflight.site import Site

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)


def authority(days: int, *, ca: bool = True) -> tuple[str, str]:
    """Return certificate and key of a CA that ends so many days after NOW."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - datetime.timedelta(days=3650))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), key.private_bytes(*form).decode()


def test_valid_authority_has_no_problem() -> None:
    """A CA with years left passes."""
    assert authority_problems(*authority(900), NOW) == []


@pytest.mark.parametrize(
    ("days", "problem", "warning"),
    [(-1, "expired on 2029-12-31", False), (59, "expires in 59 days, on 2030-03-01", True)],
)
def test_end_of_authority_is_told(days: int, problem: str, warning: bool) -> None:
    """An expired CA is a finding, one that ends soon a warning."""
    found = authority_problems(*authority(days), NOW)
    assert [(item[0], item[1], item[3]) for item in found] == [("certificate", problem, warning)]


def test_sixty_days_are_enough() -> None:
    """The warning begins below 60 days."""
    assert authority_problems(*authority(60), NOW) == []


def test_certificate_of_a_host_is_no_authority() -> None:
    """A certificate that may not sign is refused."""
    assert [item[1] for item in authority_problems(*authority(900, ca=False), NOW)] == [
        "the first certificate is not a CA"
    ]


def test_lab_authority_that_ends_soon_is_a_warning_where_it_was_written(site: Site) -> None:
    """The finding stands at the secret, not at the alias."""
    in_ten_years = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3640)
    found = site.findings(now=in_ten_years)
    assert [(item.variable, item.warning) for item in found] == [("vault_pki_ca_certificate", True)]
    assert found[0].where == site.line("group_vars/lab/vault.yml", "vault_pki_ca_certificate")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("vault_pki_ca_certificate", "not a certificate at all", "is not a certificate in PEM"),
        ("vault_pki_ca_key", "not a key at all, only text", "is not an unencrypted private key in PEM"),
        ("vault_pki_ca_key", authority(900)[1], "does not belong to the first certificate"),
    ],
)
def test_broken_authority_is_found_in_the_secrets(site: Site, name: str, value: str, problem: str) -> None:
    """A text that is no PEM, and a key of another CA, are found."""
    site.secrets(**{name: value})
    assert [(item.variable, item.problem) for item in site.findings()] == [(name, problem)]
