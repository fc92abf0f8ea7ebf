#!/usr/bin/python
"""Have exactly the given images in the Docker Engine of a host; the action of the same name brings the archives."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_images
short_description: Have the images of a release on a host
description:
  - Asks the engine of the host for the ids of the images. The action copies and loads the archive of what is missing or
    different, and asks again; the ids must then be equal to those of the control machine.
options:
  images:
    description: Reference, id and place of each image by its name; made by M(enlevohub.datacenter.container_build).
    type: dict
    required: true
  load:
    description: Archive on the host to load first, set by the action.
    type: path
  keep:
    description: How many images of each name stay on the host after a load, the newest first; those in use stay anyway.
    type: int
    default: 5
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Deliver the images
  enlevohub.datacenter.container_images:
    images: "{{ container_images__built.images }}"
"""

RETURN = r"""
missing:
  description: Names of the images that are not there; an image of the right id only gets its name.
  type: list
  returned: always
layers:
  description: Digests of the layers of each image on the host, when an image is missing.
  type: list
  returned: always
"""

import json
import shutil

from ansible.module_utils.basic import AnsibleModule


def ids(module: AnsibleModule, names: list[str]) -> dict[str, str]:
    """Return the ids of those images that the engine has, by each of their tags and by the id itself."""
    if not names:
        return {}
    code, out, err = module.run_command(["docker", "image", "inspect", *names])
    if code != 0 and "No such image" not in err:
        module.fail_json(msg=f"Cannot ask the Docker Engine of this host: {err.strip()}")
    found = json.loads(out or "[]")
    return {name: image["Id"] for image in found for name in [image["Id"], *image["RepoTags"]]}


def all_layers(module: AnsibleModule) -> list[list[str]]:
    """Return the digests of the layers of each image that the engine has, lowest first."""
    code, out, _ = module.run_command(["docker", "image", "ls", "--quiet", "--no-trunc"])
    names = sorted(set(out.split()))
    if code != 0 or not names:
        return []
    code, out, _ = module.run_command(["docker", "image", "inspect", *names])
    return [image["RootFS"].get("Layers") or [] for image in json.loads(out or "[]")]


def prune(module: AnsibleModule) -> None:
    """Remove the oldest images of the names that were delivered."""
    wanted = {image["reference"] for image in module.params["images"].values()}
    for name in sorted({reference.rpartition(":")[0] for reference in wanted}):
        code, out, err = module.run_command(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", name])
        if code != 0:
            module.fail_json(msg=f"Cannot list the images {name}: {err.strip()}")
        for reference in out.split()[module.params["keep"] :]:
            if reference not in wanted and not reference.endswith(":<none>"):
                # The engine refuses to remove what a container uses, and that is what is wanted here.
                module.run_command(["docker", "image", "rm", reference])


def main() -> None:
    """Load an archive when one was brought, then compare ids; a renamed image only gets its name."""
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "dict", "required": True},
            "load": {"type": "path"},
            "keep": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    images = module.params["images"]
    if module.check_mode and shutil.which("docker") is None:
        module.exit_json(changed=True, missing=sorted(images), layers=[])
    if module.params["load"]:
        code, out, err = module.run_command(["docker", "load", "--quiet", "--input", module.params["load"]])
        if code != 0:
            module.fail_json(msg=f"docker load failed: {(out + err).strip()[-1500:]}")
        prune(module)
    present = ids(module, [image["reference"] for image in images.values()])
    missing = [name for name, image in images.items() if present.get(image["reference"], "") != (image["id"] or "none")]
    known = ids(module, [images[name]["id"] for name in missing if images[name]["id"]]).values()
    tagged = [name for name in missing if images[name]["id"] in known]
    for name in tagged if not module.check_mode else []:
        code, out, err = module.run_command(["docker", "tag", images[name]["id"], images[name]["reference"]])
        if code != 0:
            module.fail_json(msg=f"docker tag failed: {(out + err).strip()}")
    missing_here = [name for name in missing if name not in tagged]
    layers = all_layers(module) if missing_here else []
    module.exit_json(changed=bool(missing), missing=missing_here, layers=layers)


if __name__ == "__main__":
    main()
