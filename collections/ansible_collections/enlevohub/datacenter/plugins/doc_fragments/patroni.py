"""Options of every module that asks Patroni for a change."""

from __future__ import annotations


class ModuleDocFragment:
    """How the REST API of a member is reached."""

    DOCUMENTATION = r"""
options:
  url:
    description: Base address of the REST API of a member; any will do.
    type: str
    required: true
  username:
    description: Name for changes.
    type: str
    required: true
  password:
    description: Password for changes.
    type: str
    required: true
  directory:
    description: Directory of C(ca.crt), C(host.crt) and C(host.key).
    type: path
    required: true
"""
