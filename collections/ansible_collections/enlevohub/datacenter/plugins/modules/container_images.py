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
    description: Reference, id and archive of each image by its name; made by M(enlevohub.datacenter.container_build).
    type: dict
    required: true
  load:
    description: Archive on the host to load first, set by the action.
    type: path
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


def main() -> None:
    """Load an archive when one was brought, then compare ids; a renamed image only gets its name."""
    module = AnsibleModule(
        argument_spec={"images": {"type": "dict", "required": True}, "load": {"type": "path"}}, supports_check_mode=True
    )
    images = module.params["images"]
    if module.check_mode and shutil.which("docker") is None:
        module.exit_json(changed=True, missing=sorted(images))
    if module.params["load"]:
        code, out, err = module.run_command(["docker", "load", "--quiet", "--input", module.params["load"]])
        if code != 0:
            module.fail_json(msg=f"docker load failed: {(out + err).strip()[-1500:]}")
    present = ids(module, [image["reference"] for image in images.values()])
    missing = [name for name, image in images.items() if present.get(image["reference"], "") != (image["id"] or "none")]
    known = ids(module, [images[name]["id"] for name in missing if images[name]["id"]]).values()
    tagged = [name for name in missing if images[name]["id"] in known]
    for name in tagged if not module.check_mode else []:
        code, out, err = module.run_command(["docker", "tag", images[name]["id"], images[name]["reference"]])
        if code != 0:
            module.fail_json(msg=f"docker tag failed: {(out + err).strip()}")
    module.exit_json(changed=bool(missing), missing=[name for name in missing if name not in tagged])


if __name__ == "__main__":
    main()
