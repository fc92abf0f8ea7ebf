"""Checks of a certificate authority: readable, valid, and the key belongs to it."""

from __future__ import annotations

import datetime

WARN_DAYS = 60


def authority_problems(certificate: str, key: str, now: datetime.datetime) -> list[tuple[str, str, str, bool]]:
    """Return what is wrong with a CA, as (certificate or key, problem, fix, warning).

    Args:
        certificate: PEM text; the first certificate signs.
        key: PEM text of its key, not encrypted.
        now: present time with a time zone.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found: list[tuple[str, str, str, bool]] = []
    paste = "write the PEM text as a block, with its BEGIN and END lines"
    replace = "replace the CA: see docs/runbooks"
    first = None
    try:
        first = x509.load_pem_x509_certificates(certificate.encode())[0]
    except ValueError:
        found.append(("certificate", "is not a certificate in PEM", paste, False))
    if first is not None:
        left = first.not_valid_after_utc - now
        end = f"{first.not_valid_after_utc:%Y-%m-%d}"
        if left <= datetime.timedelta(0):
            found.append(("certificate", f"expired on {end}", replace, False))
        elif first.not_valid_before_utc > now:
            begin = f"{first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            found.append(("certificate", f"is valid from {begin} only", "correct the clock of this machine", False))
        elif left < datetime.timedelta(days=WARN_DAYS):
            found.append(("certificate", f"expires in {left.days} days, on {end}", replace, True))
        try:
            is_ca = first.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            is_ca = False
        if not is_ca:
            found.append(("certificate", "the first certificate is not a CA", "put the CA that signs first", False))
    try:
        secret = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError):
        return [*found, ("key", "is not an unencrypted private key in PEM", paste, False)]
    if not isinstance(secret, ec.EllipticCurvePrivateKey):
        found.append(
            (
                "key",
                "is not an elliptic curve key",
                "use a key made by `openssl ecparam -name prime256v1 -genkey`",
                False,
            )
        )
    elif first is not None and secret.public_key() != first.public_key():
        found.append(
            ("key", "does not belong to the first certificate", "put certificate and key of the same CA", False)
        )
    return found
