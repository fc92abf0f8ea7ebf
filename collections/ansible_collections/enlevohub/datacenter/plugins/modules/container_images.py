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
  description: Names of the images that were not there with the right id.
  type: list
  returned: always
"""

import json
import shutil

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Load an archive when one was brought, then compare ids."""
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
    references = [image["reference"] for image in images.values()]
    code, out, err = module.run_command(["docker", "image", "inspect", *references])
    if code != 0 and "No such image" not in err:
        module.fail_json(msg=f"Cannot ask the Docker Engine of this host: {err.strip()}")
    present = {tag: image["Id"] for image in json.loads(out or "[]") for tag in image["RepoTags"]}
    missing = [name for name, image in images.items() if present.get(image["reference"], "") != (image["id"] or "none")]
    module.exit_json(changed=bool(missing), missing=missing)


if __name__ == "__main__":
    main()
