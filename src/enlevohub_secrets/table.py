"""Which secrets an environment has, and how each is made: the one table."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from functools import partial

from enlevohub_secrets.authority import CERTIFICATE, KEY, make_authority

ALPHABET = string.ascii_letters + string.digits
PASSWORD_LENGTH = 32
JWT_SECRET_LENGTH = 64


def random_text(length: int) -> str:
    """Random letters and digits (5.95 bits each) from the system's generator; safe in any configuration file."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


_password = partial(random_text, PASSWORD_LENGTH)

TEXT_SECRETS: dict[str, Callable[[], str]] = {
    "vault_database_app_password": _password,
    "vault_database_superuser_password": _password,
    "vault_database_replication_password": _password,
    "vault_database_rewind_password": _password,
    "vault_patroni_restapi_password": _password,
    "vault_backup_passphrase": _password,
    "vault_jwt_secret": partial(random_text, JWT_SECRET_LENGTH),
    "vault_haproxy_stats_password": _password,
    "vault_f5_password": _password,
    "vault_redis_application_password": _password,
    "vault_redis_replication_password": _password,
    "vault_redis_sentinel_password": _password,
    "vault_redis_operator_password": _password,
    "vault_database_storage_password": _password,
    "vault_storage_access_key": _password,
    "vault_storage_secret_key": _password,
    "vault_storage_operator_access_key": _password,
    "vault_storage_operator_secret_key": _password,
    "vault_storage_signing_key": _password,
}

# Passwords of PostgreSQL by their purpose: those that playbooks/rotate-secrets.yml renews.
ROTATED = {
    "application": "vault_database_app_password",
    "storage": "vault_database_storage_password",
    "replication": "vault_database_replication_password",
    "rewind": "vault_database_rewind_password",
    "superuser": "vault_database_superuser_password",
}
NEXT = "_next"

# A key and its certificate are made together or not at all.
AUTHORITY_SECRETS = (KEY, CERTIFICATE)
NAMES = (*TEXT_SECRETS, *AUTHORITY_SECRETS)


def make_missing(environment: str, present: set[str]) -> dict[str, str]:
    """New values for the secrets that are not present.

    Args:
        environment: environment name, part of the authority's common name.
        present: names of the secrets that exist already.
    """
    made = {name: make() for name, make in TEXT_SECRETS.items() if name not in present}
    if not present.intersection(AUTHORITY_SECRETS):
        made.update(make_authority(environment))
    return made
