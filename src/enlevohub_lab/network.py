"""The Docker network of a lab."""

from __future__ import annotations

import ipaddress
import json

from enlevohub_lab.containers import ENVIRONMENT_LABEL, network_name
from enlevohub_lab.errors import LabError
from enlevohub_lab.process import docker, run


def subnet_of(name: str) -> str:
    """The subnet of a Docker network, empty when there is no such network."""
    done = run(["docker", "network", "inspect", name], timeout=30, check=False)
    if done.returncode != 0:
        return ""
    config = json.loads(done.stdout)[0]["IPAM"]["Config"]
    return str(config[0]["Subnet"]) if config else "none"


def ensure_network(environment: str, network: ipaddress.IPv4Network) -> None:
    """Create the environment's network unless it is there.

    Raises:
        LabError: it is there with another subnet, or the subnet overlaps with another network.
    """
    name = network_name(environment)
    subnet = subnet_of(name)
    if subnet == str(network):
        return
    if subnet:
        raise LabError(
            f"The Docker network {name} has the subnet {subnet}, but the inventory's addresses are in {network}.\n"
            "Remove the lab first (make lab-down), or change ansible_host in the inventory back."
        )
    label = f"{ENVIRONMENT_LABEL}={environment}"
    try:
        docker("network", "create", "--subnet", str(network), "--label", label, name)
    except LabError as error:
        if "overlaps" in str(error):
            raise LabError(
                f"{network} is used by another Docker network (see `docker network ls`): remove that one, "
                "or give the hosts of the inventory other addresses."
            ) from error
        raise
