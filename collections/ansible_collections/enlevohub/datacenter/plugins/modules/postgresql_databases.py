#!/usr/bin/python
"""Keep databases with their owners on the leader of a PostgreSQL cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_databases
short_description: Keep databases, each with an owner of its own and nobody else
description:
  - Runs on every member of the cluster. The leader makes what is missing; a standby changes nothing.
  - An owner's password is compared with the SCRAM-SHA-256 verifier in the catalogue (RFC 5803) and set when it differs.
  - The right of everybody to connect to a new database is taken away.
  - Uses C(psql) as the user C(postgres) over the local socket. Passwords reach it by its standard input only.
options:
  databases:
    description: The databases.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the database.
        type: str
        required: true
      owner:
        description: Name of the role that owns it.
        type: str
        required: true
      password:
        description: Password of that role.
        type: str
        required: true
      clients:
        description: Not used here; the configuration of the members lets them in.
        type: list
        elements: dict
        default: []
  extensions:
    description: Extensions of the database C(postgres), for those who operate the cluster.
    type: list
    elements: str
    default: []
  port:
    description: Port of PostgreSQL.
    type: int
    default: 5432
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Keep the databases
  enlevohub.datacenter.postgresql_databases:
    databases:
      - {name: enlevohub, owner: enlevohub, password: "{{ vault_database_app_password }}"}
"""

RETURN = r"""
leader:
  description: Whether this host leads.
  type: bool
  returned: always
changes:
  description: What was, or in check mode would be, changed.
  type: list
  returned: always
"""

import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule

STATE = """
SELECT json_build_object(
  'standby', pg_is_in_recovery(),
  'roles', (SELECT coalesce(json_object_agg(rolname, rolpassword), '{}') FROM pg_authid),
  'extensions', (SELECT json_agg(extname) FROM pg_extension),
  'databases', (SELECT json_agg(datname) FROM pg_database))
"""


def matches(password: str, verifier: str | None) -> bool:
    """Return whether a password belongs to the verifier of a role (``SCRAM-SHA-256$iterations:salt$stored:server``)."""
    found = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)", verifier or "")
    if found is None:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(found[2]), int(found[1]))
    key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    return hmac.compare_digest(hashlib.sha256(key).digest(), base64.b64decode(found[3]))


def name(text: str) -> str:
    """Quote an identifier."""
    return '"' + text.replace('"', '""') + '"'


def value(text: str) -> str:
    """Quote a text; the dollar-free form works whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'" if "\\" in text else f"'{escaped}'"


def plan(databases: list[dict[str, Any]], state: dict[str, Any], extensions: list[str]) -> tuple[list[str], list[str]]:
    """Return the statements that are needed, and what they do without any secret.

    Args:
        databases: the option of the module.
        state: answer to STATE: verifiers of the roles by name, names of the databases and of the extensions.
        extensions: the option of the module.
    """
    missing = [extension for extension in extensions if extension not in state["extensions"]]
    statements = [f"CREATE EXTENSION {name(extension)};" for extension in missing]
    changes = [f"extension {extension}" for extension in missing]
    for database in databases:
        owner, title = name(database["owner"]), name(database["name"])
        if database["owner"] not in state["roles"]:
            statements.append(f"CREATE ROLE {owner} LOGIN PASSWORD {value(database['password'])};")
            changes.append(f"role {database['owner']}")
        elif not matches(database["password"], state["roles"][database["owner"]]):
            statements.append(f"ALTER ROLE {owner} LOGIN PASSWORD {value(database['password'])};")
            changes.append(f"password of {database['owner']}")
        if database["name"] not in state["databases"]:
            statements.append(f"CREATE DATABASE {title} OWNER {owner};")
            statements.append(f"REVOKE ALL ON DATABASE {title} FROM PUBLIC;")
            changes.append(f"database {database['name']}")
    return statements, changes


def psql(port: int, text: str) -> tuple[int, str, str]:
    """Run SQL as postgres; a statement that fails ends it."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]
    command += ["--port", str(port), "--dbname", "postgres", "--file", "-"]
    done = subprocess.run(
        ["runuser", "-u", "postgres", "--", *command],
        input=text, capture_output=True, text=True, check=False, timeout=120, cwd="/",
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def main() -> None:
    """Ask, then change on the leader; on a blank host in check mode everything would be new."""
    database_spec = {
        "name": {"type": "str", "required": True},
        "owner": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "clients": {"type": "list", "elements": "dict", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "databases": {"type": "list", "elements": "dict", "required": True, "options": database_spec},
            "extensions": {"type": "list", "elements": "str", "default": []},
            "port": {"type": "int", "default": 5432},
        },
        supports_check_mode=True,
    )
    databases = module.params["databases"]
    port = module.params["port"]
    extensions = module.params["extensions"]
    everything = [f"database {database['name']}" for database in databases] + [f"extension {x}" for x in extensions]
    if module.check_mode and shutil.which("psql") is None:
        module.exit_json(changed=True, leader=False, changes=everything)
    code, out, err = psql(port, STATE)
    if code != 0:
        if module.check_mode:
            module.exit_json(changed=True, leader=False, changes=everything)
        module.fail_json(msg=f"PostgreSQL does not answer on its socket: {err.strip()[-600:]}")
    state = json.loads(out)
    if state["standby"]:
        module.exit_json(changed=False, leader=False, changes=[])
    statements, changes = plan(databases, state, extensions)
    if statements and not module.check_mode:
        code, out, err = psql(port, "\n".join(statements))
        if code != 0:
            # psql repeats the statement that failed; it may hold a password.
            lines = [line for line in err.splitlines() if "ERROR:" in line or "FATAL:" in line]
            module.fail_json(msg=f"{', '.join(changes)}: {lines[0] if lines else 'psql gives no reason'}")
    diff = {"before": "", "after": "".join(f"{change}\n" for change in changes), "after_header": "databases"}
    module.exit_json(changed=bool(changes), leader=True, changes=changes, diff=diff)


if __name__ == "__main__":
    main()
