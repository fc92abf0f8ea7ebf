"""Filters that describe a Docker Compose stack and its files."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ansible.errors import AnsibleFilterError


def references(images: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the reference of each image by its name, from the result of ``container_build``."""
    return {name: image["reference"] for name, image in images.items()}


def hosts_to_put_back(groups: dict[str, list[str]], stacks: dict[str, Any]) -> list[dict[str, str]]:
    """Return host and group of each stack that goes back after a failure, the one that was touched last first.

    ``<stack>_back``: the containers were touched. ``<stack>_revert``: only the files are new.
    """
    found = []
    for stack in stacks:
        touched = groups.get(f"{stack}_touched", [])
        for host in groups.get(f"{stack}_changed", []):
            if host not in touched:
                found.append({"host": host, "group": f"{stack}_revert"})
        found += [{"host": host, "group": f"{stack}_back"} for host in reversed(touched)]
    return found


def with_known(images: list[dict[str, Any]], known: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Return the images to have, each with reference and id when it was built before."""
    return [{**image, **{key: known[image["name"]][key] for key in ("reference", "id")}}
            if image["name"] in known else image for image in images]  # fmt: skip


def identities(images: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return reference and id of each image, without what only the control machine needs."""
    return {name: {key: image[key] for key in ("reference", "id")} for name, image in images.items()}


def rollout_groups(plan: dict[str, Any], unfinished: bool = False) -> list[str]:
    """Return the groups, without the name of the stack, that a host joins after the plan of ``compose_stack``.

    Args:
        plan: what the module returned.
        unfinished: whether an interrupted run left the host drained; it is rolled before the others then.
    """
    groups = [] if plan["action"] == "current" else [plan["action"], "changed"]
    if groups or not plan["kept"]:
        groups.append("keep")
    if unfinished and plan["action"] == "rollout":
        groups.append("unfinished")
    return groups + (["surplus"] if plan["surplus"] else [])


def secrets_digest(secrets: dict[str, str]) -> str:
    """Return a short digest that changes with a secret; secrets are long and random, so it tells nothing."""
    return hashlib.sha256(json.dumps(secrets, sort_keys=True).encode()).hexdigest()[:16]


def compose_document(
    services: dict[str, dict[str, Any]],
    defaults: dict[str, Any],
    secrets: dict[str, str],
    one_shot: list[str],
    network: str = "",
) -> dict[str, Any]:
    """Return the content of compose.yaml.

    Args:
        services: services as in compose.yaml.
        defaults: keys that each service gets unless it has them.
        secrets: secrets by name; each becomes a file of every service. Only a digest of them stands in the document.
        network: network of the containers as address/length; empty: whatever the engine chooses.
        one_shot: services that run to their end; they are kept out of ``up`` by a profile.

    Raises:
        AnsibleFilterError: a one-shot service does not exist.
    """
    unknown = sorted(set(one_shot) - set(services))
    if unknown:
        raise AnsibleFilterError(
            f"compose_stack_jobs names {', '.join(unknown)}, which is not in compose_stack_services"
        )
    document: dict[str, Any] = {"services": {}}
    for name, service in services.items():
        merged = {**defaults, **service}
        if name in one_shot:
            merged = {key: value for key, value in merged.items() if key not in ("healthcheck", "ports")}
            merged.update(profiles=["one-shot"], restart="no", healthcheck={"disable": True})
        if secrets:
            merged["secrets"] = sorted(secrets)
            merged["labels"] = {**merged.get("labels", {}), "enlevohub.secrets": secrets_digest(secrets)}
        document["services"][name] = merged
    if network:
        document["networks"] = {"default": {"ipam": {"config": [{"subnet": network}]}}}
    if secrets:
        document["secrets"] = {name: {"file": f"./secrets/{name}"} for name in sorted(secrets)}
    # A copy without shared parts: YAML would write them as anchors.
    document_as_data: dict[str, Any] = json.loads(json.dumps(document))
    return document_as_data


def secret_files(secrets: dict[str, str], directory: str, uid: int) -> list[dict[str, Any]]:
    """Return the secret files of a stack; Compose mounts them as they are, so they belong to the containers' uid."""
    return [
        {"path": f"{directory}/secrets/{name}", "content": secrets[name], "owner": str(uid), "group": str(uid),
         "mode": "0400", "secret": True}
        for name in sorted(secrets)
    ]  # fmt: skip


def secrets_by_file(secrets: dict[str, str]) -> dict[str, str]:
    """Return secrets by the name of their file, from secrets by the name of their environment variable."""
    return {name.lower(): value for name, value in secrets.items()}


def secret_environment(secrets: dict[str, str]) -> dict[str, str]:
    """Return where the service finds its secrets: ``JWT_SECRET_FILE: /run/secrets/jwt_secret``."""
    return {f"{name}_FILE": f"/run/secrets/{name.lower()}" for name in secrets}


def data_directories(paths: list[str], uid: int) -> list[dict[str, Any]]:
    """Return directories that the containers write to; others must not read what users uploaded."""
    owner = {"owner": str(uid), "group": str(uid), "mode": "0750"}
    return [{"path": path, "state": "directory", **owner} for path in paths]


def files_below(files: list[dict[str, Any]], directory: str) -> list[dict[str, Any]]:
    """Return files with a path relative to a directory as files with an absolute path."""
    for item in files:
        if item["path"].startswith("/"):
            raise AnsibleFilterError(f"compose_stack_files: {item['path']} must be relative to {directory}")
    return [{**item, "path": f"{directory}/{item['path']}"} for item in files]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "references": references,
            "hosts_to_put_back": hosts_to_put_back,
            "rollout_groups": rollout_groups,
            "with_known": with_known,
            "identities": identities,
            "compose_document": compose_document,
            "secret_files": secret_files,
            "files_below": files_below,
            "data_directories": data_directories,
            "secrets_by_file": secrets_by_file,
            "secret_environment": secret_environment,
        }
