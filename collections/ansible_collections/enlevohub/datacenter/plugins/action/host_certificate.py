"""Sign the certificate of a host on the controller, where the key of the CA stays."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

BACKDATED = datetime.timedelta(minutes=10)


def sign(
    request_pem: str, ca_certificate_pem: str, ca_key_pem: str, names: list[str], addresses: list[str], days: int
) -> str:
    """Return the PEM certificate for a request.

    Names and addresses come from the inventory, not from the request: a host cannot ask for another host's name.

    Args:
        request_pem: the signing request; its signature is checked.
        ca_certificate_pem: the CA; the first certificate of the text signs.
        ca_key_pem: the CA's key, unencrypted PEM.
        names: DNS names.
        addresses: IP addresses.
        days: validity in days; never longer than the CA itself.

    Raises:
        ValueError: the request is not signed by its own key, or the CA's key does not belong to its certificate.
    """
    request = x509.load_pem_x509_csr(request_pem.encode())
    authority = x509.load_pem_x509_certificates(ca_certificate_pem.encode())[0]
    key = serialization.load_pem_private_key(ca_key_pem.encode(), password=None)
    if not request.is_signature_valid:
        raise ValueError("the signing request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != authority.public_key():
        raise ValueError("pki_ca_key does not belong to the first certificate of pki_ca_certificate")
    public = authority.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    now = datetime.datetime.now(datetime.timezone.utc)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    usage = x509.KeyUsage(
        digital_signature=True, key_agreement=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(min(now + datetime.timedelta(days=days), authority.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class ActionModule(ActionBase):
    """Action of enlevohub.datacenter.host_certificate."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host what it needs; sign and install only when it needs something.

        Raises AnsibleActionFail when the CA cannot sign.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        ca_key = arguments.pop("ca_key", "")
        days = int(arguments.pop("validity_days", 365))
        module = "enlevohub.datacenter.host_certificate"
        inspected = self._execute_module(module_name=module, module_args=arguments, task_vars=task_vars)
        result.update(inspected)
        request = inspected.get("request")
        if not request or inspected.get("failed"):
            return result
        try:
            certificate = sign(
                request, arguments["ca_certificate"], ca_key, arguments["names"], arguments["addresses"], days
            )
        except ValueError as error:
            raise AnsibleActionFail(f"Cannot sign the certificate of {arguments['common_name']}: {error}") from error
        installed = self._execute_module(
            module_name=module, module_args={**arguments, "certificate": certificate}, task_vars=task_vars
        )
        reason = inspected["reason"]
        result.update(installed)
        if not installed.get("failed"):
            result["diff"] = {"before": "", "after": f"{arguments['directory']}/host.crt: {reason}\n"}
        return result
