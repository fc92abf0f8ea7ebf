#!/usr/bin/python
"""Keep the key and the certificate of a host; the action of the same name signs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_certificate
short_description: Keep one key and one certificate per host, signed by the CA of the environment
description:
  - The private key is made on the host and never leaves it. Only the signing request travels.
  - The certificate is renewed when it is missing, ends within I(renew_before_days), was signed by another CA, does not
    belong to the key, names other hosts or addresses than wanted, or when the authorities changed; services such as
    Patroni read the authorities again only together with a new certificate.
  - Nothing to do costs one remote call.
options:
  directory:
    description: Directory of C(ca.crt), C(host.crt) and C(host.key).
    type: path
    required: true
  group:
    description: Group that may read the key.
    type: str
    required: true
  common_name:
    description: Subject of the certificate.
    type: str
    required: true
  names:
    description: DNS names of the host.
    type: list
    elements: str
    required: true
  addresses:
    description: IP addresses of the host.
    type: list
    elements: str
    required: true
  ca_certificate:
    description: PEM text of the CA; several certificates may overlap while a CA is replaced, the first one signs.
    type: str
    required: true
  ca_key:
    description: PEM text of the CA's key (action only; it stays on the controller).
    type: str
  validity_days:
    description: Days that a new certificate is valid (action only).
    type: int
    default: 365
  renew_before_days:
    description: Days before its end from which a certificate is renewed.
    type: int
    default: 30
  certificate:
    description: PEM text of a signed certificate to install, set by the action.
    type: str
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Keep the certificate of the host
  enlevohub.datacenter.host_certificate:
    directory: /etc/enlevohub/pki
    group: ssl-cert
    common_name: db1
    names: [db1, localhost]
    addresses: [192.0.2.21, 127.0.0.1]
    ca_certificate: "{{ pki_ca_certificate }}"
    ca_key: "{{ pki_ca_key }}"
"""

RETURN = r"""
reason:
  description: Why a new certificate is needed; empty when it is not.
  type: str
  returned: always
request:
  description: The signing request, when a new certificate is needed.
  type: str
  returned: when a new certificate is needed, not in check mode
not_after:
  description: End of the present certificate.
  type: str
  returned: when there is one
"""

import grp
import os
import re
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DAY = 86400


def openssl(module: AnsibleModule, *arguments: str, data: str | None = None) -> tuple[int, str]:
    """Run openssl; returns its exit code and its standard output."""
    code, out, _ = module.run_command(["openssl", *arguments], data=data)
    return code, out


def install(path: str, content: str, gid: int, mode: int) -> bool:
    """Write a file atomically when content, group or mode differ; returns whether they did."""
    try:
        with open(path, encoding="utf-8") as handle:
            present = handle.read()
        status = os.stat(path)
        if present == content and (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, gid, mode):
            return False
    except FileNotFoundError:
        pass
    handle_number, temporary = tempfile.mkstemp(prefix=".enlevohub-", dir=os.path.dirname(path))
    with os.fdopen(handle_number, "w", encoding="utf-8") as stream:
        stream.write(content)
    os.chown(temporary, 0, gid)
    os.chmod(temporary, mode)
    os.replace(temporary, path)
    return True


def wanted_alternatives(parameters: dict[str, Any]) -> set[str]:
    """Return the names and addresses of the certificate in openssl's spelling."""
    return {f"DNS:{name}" for name in parameters["names"]} | {f"IP Address:{item}" for item in parameters["addresses"]}


def why_new(module: AnsibleModule, authority: str, key: str, certificate: str, authorities: str) -> tuple[str, str]:
    """Say why the present certificate must be replaced (empty: it need not) and when it ends."""
    if not os.path.exists(key):
        return "there is no key", ""
    if os.path.exists(authority):
        with open(authority, encoding="utf-8") as present_authorities:
            if present_authorities.read() != authorities:
                return "the authorities changed", ""
    if not os.path.exists(certificate):
        return "there is no certificate", ""
    code, shown = openssl(
        module, "x509", "-in", certificate, "-noout", "-pubkey", "-enddate", "-ext", "subjectAltName", "-checkend",
        str(module.params["renew_before_days"] * DAY),
    )  # fmt: skip
    end = re.search(r"notAfter=(.+)", shown)
    not_after = end.group(1).strip() if end else ""
    if not end:
        return "the certificate cannot be read", ""
    if code != 0:
        return f"the certificate ends soon ({not_after})", not_after
    _, public = openssl(module, "pkey", "-in", key, "-pubout")
    if not public or public.strip() not in shown:
        return "the certificate does not belong to the key", not_after
    line = re.search(r"Subject Alternative Name:.*\n\s*(.+)", shown)
    present = {item.strip() for item in line.group(1).split(",")} if line else set()
    wanted = wanted_alternatives(module.params)
    if present != wanted:
        return f"names differ: has {', '.join(sorted(present))}", not_after
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as handle:
        handle.write(authorities.split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
        handle.flush()
        code, _ = openssl(module, "verify", "-CAfile", handle.name, certificate)
    return ("" if code == 0 else "it was signed by another CA"), not_after


def main() -> None:
    """Install what the action brought, or say what is needed."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "group": {"type": "str", "required": True},
            "common_name": {"type": "str", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "addresses": {"type": "list", "elements": "str", "required": True},
            "ca_certificate": {"type": "str", "required": True},
            "renew_before_days": {"type": "int", "default": 30},
            "certificate": {"type": "str"},
        },
        supports_check_mode=True,
    )
    directory = module.params["directory"]
    key, certificate, authority = (os.path.join(directory, name) for name in ("host.key", "host.crt", "ca.crt"))
    authorities = module.params["ca_certificate"].strip() + "\n"
    reason, not_after = why_new(module, authority, key, certificate, authorities)
    result: dict[str, Any] = {"reason": reason, "not_after": not_after, "changed": bool(reason)}
    if module.check_mode:
        module.exit_json(diff={"before": "", "after": f"{certificate}: {reason}\n" if reason else ""}, **result)
    try:
        gid = grp.getgrnam(module.params["group"]).gr_gid
    except KeyError:
        module.fail_json(msg=f"{directory}: the group '{module.params['group']}' does not exist on this host")
    os.makedirs(directory, mode=0o755, exist_ok=True)
    if not reason:
        result["changed"] = install(authority, authorities, 0, 0o644) or result["changed"]
    if not os.path.exists(key):
        _, private = openssl(module, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        install(key, private, gid, 0o640)
    else:
        with open(key, encoding="utf-8") as handle:
            result["changed"] = install(key, handle.read(), gid, 0o640) or result["changed"]
    if module.params["certificate"]:
        install(certificate, module.params["certificate"], 0, 0o644)
        install(authority, authorities, 0, 0o644)  # the last, so that a run that ends before it is done again
        reason, not_after = why_new(module, authority, key, certificate, authorities)
        if reason:
            module.fail_json(msg=f"{certificate}: the new certificate is not good: {reason}")
        module.exit_json(changed=True, reason="", not_after=not_after)
    if reason:
        subject = f"/CN={module.params['common_name']}"
        code, result["request"] = openssl(module, "req", "-new", "-key", key, "-subj", subject)
        if code != 0:
            module.fail_json(msg=f"{key}: openssl cannot make a signing request with it; remove the file and run again")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
