"""The certificate authority of an environment."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from enlevohub_secrets.errors import SecretsError

KEY = "vault_pki_ca_key"
CERTIFICATE = "vault_pki_ca_certificate"
VALID_DAYS = 3652


def make_authority(environment: str) -> dict[str, str]:
    """A new self-signed authority (EC P-256, ten years): its key and its certificate as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"EnlevoHub {environment} CA")])
    # Clocks of servers differ by minutes: the certificate counts from yesterday.
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {KEY: private.decode(), CERTIFICATE: certificate.public_bytes(serialization.Encoding.PEM).decode()}


def check_authority(key: str, certificate: str) -> None:
    """Raise unless key and certificate can be read and belong together.

    Raises:
        SecretsError: one of them is not PEM, or they are not a pair.
    """
    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError) as error:
        raise SecretsError(f"{KEY} is not a private key in PEM form without a passphrase.") from error
    try:
        public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    except ValueError as error:
        raise SecretsError(f"{CERTIFICATE} is not a certificate in PEM form.") from error
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != public.public_bytes(*form):
        raise SecretsError(f"{KEY} and {CERTIFICATE} do not belong together.")
