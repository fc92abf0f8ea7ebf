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
  - Passwords of further logins are kept as well, and second logins made and removed, with which a password is renewed
    while the old one still works.
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
  logins:
    description: Roles that log in, besides the owners.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      password:
        description: Its password; not needed for I(state=absent).
        type: str
        default: ""
      second_of:
        description:
          - Role whose second login this is. It is made as a member of that role and works with its rights; what it
            makes belongs to that role.
          - Without it the role must be there already; one that is not is left out, and so is its second login.
        type: str
        default: ""
      replication:
        description: Whether the second login may replicate, which is no right that a member has from its role.
        type: bool
        default: false
      state:
        description: C(absent) removes the role as soon as no session uses it.
        type: str
        choices: [present, absent]
        default: present
  quiet_timeout:
    description: Seconds until a role that is to be removed must have no session.
    type: int
    default: 60
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
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

STATE = """
SELECT json_build_object(
  'standby', pg_is_in_recovery(),
  'roles', (SELECT coalesce(json_object_agg(rolname, rolpassword), '{}') FROM pg_authid),
  'extensions', (SELECT json_agg(extname) FROM pg_extension),
  'databases', (SELECT json_agg(datname) FROM pg_database))
"""


SESSIONS = "SELECT DISTINCT usename || '@' || coalesce(host(client_addr), 'local') FROM pg_stat_activity"


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


def login_plan(logins: list[dict[str, Any]], state: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the statements for logins, and what they do without any secret.

    Args:
        logins: the option of the module.
        state: answer to STATE.
    """
    statements: list[str] = []
    changes: list[str] = []
    roles = state["roles"]
    for login in logins:
        title, owner = login["name"], login["second_of"]
        if login["state"] == "absent":
            if title in roles:
                statements.append(f"DROP ROLE {name(title)};")
                changes.append(f"no login {title}")
            continue
        secret = value(login["password"])
        if title not in roles and owner in roles:
            rights = "LOGIN REPLICATION" if login["replication"] else "LOGIN"
            statements.append(f"CREATE ROLE {name(title)} {rights} PASSWORD {secret} IN ROLE {name(owner)};")
            if not login["replication"]:
                statements.append(f"ALTER ROLE {name(title)} SET role TO {name(owner)};")
            changes.append(f"login {title}")
        elif title in roles and not matches(login["password"], roles[title]):
            statements.append(f"ALTER ROLE {name(title)} PASSWORD {secret};")
            changes.append(f"password of {title}")
    return statements, changes


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


def wait_until_unused(module: AnsibleModule, port: int, roles: list[str]) -> None:
    """Wait until no session uses one of the roles; fails with who still does."""
    limit = time.monotonic() + module.params["quiet_timeout"]
    names = ", ".join(value(role) for role in roles)
    while True:
        code, out, err = psql(port, f"{SESSIONS} WHERE usename IN ({names})")
        if code == 0 and not out.strip():
            return
        if time.monotonic() > limit:
            said = ", ".join(sorted(set(out.split()))) or err.strip()[-300:]
            module.fail_json(msg=f"still in use after {module.params['quiet_timeout']} s: {said}. Nothing was removed")
        time.sleep(1)


def main() -> None:
    """Ask, then change on the leader; on a blank host in check mode everything would be new."""
    database_spec = {
        "name": {"type": "str", "required": True},
        "owner": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "clients": {"type": "list", "elements": "dict", "default": []},
    }
    login_spec = {
        "name": {"type": "str", "required": True},
        "password": {"type": "str", "default": "", "no_log": True},
        "second_of": {"type": "str", "default": ""},
        "replication": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    module = AnsibleModule(
        argument_spec={
            "databases": {"type": "list", "elements": "dict", "required": True, "options": database_spec},
            "logins": {"type": "list", "elements": "dict", "default": [], "options": login_spec},
            "quiet_timeout": {"type": "int", "default": 60},
            "extensions": {"type": "list", "elements": "str", "default": []},
            "port": {"type": "int", "default": 5432},
        },
        supports_check_mode=True,
    )
    databases, logins = module.params["databases"], module.params["logins"]
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
    more, told = login_plan(logins, state)
    statements, changes = statements + more, changes + told
    leaving = [login["name"] for login in logins if login["state"] == "absent" and login["name"] in state["roles"]]
    if leaving and not module.check_mode:
        wait_until_unused(module, port, leaving)
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
