#!/usr/bin/python
"""Build the container images of a release on the control machine, each named by the content it is built from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_build
short_description: Build container images named by their content
description:
  - The tag of an image is a digest of its build context, its build arguments and its base image. The same sources give
    the same name, so an image that is there is never built again.
  - Runs on the control machine.
options:
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the image without a tag.
        type: str
        required: true
      context:
        description: Build context on the control machine.
        type: path
        required: true
      reference:
        description: Name and tag of an image that was built before; it is not built again.
        type: str
      id:
        description: Id of that image.
        type: str
  base:
    description: The image that all others are built from.
    type: str
    required: true
  archive_directory:
    description: Where the layers of the images are kept for delivery, each once.
    type: path
    required: true
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Build the image of the backend
  enlevohub.datacenter.container_build:
    base: enlevohub/base:trixie
    archive_directory: build/images
    images:
      - name: enlevohub/api
        context: files/api
"""

RETURN = r"""
images:
  description: Reference and id of each image by its name, and the path where it is kept. The path of an image that was
    built before is empty when this machine does not have it.
  type: dict
  returned: always
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils import image_store

TAG_LENGTH = 12


def ignore_rules(context: str) -> list[tuple[str, re.Pattern[str], bool]]:
    """Return the lines of .dockerignore in order: pattern, its expression, and whether it takes files back in (!)."""
    path = os.path.join(context, ".dockerignore")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as handle:
        lines = [line.strip() for line in handle]
    rules: list[tuple[str, re.Pattern[str], bool]] = []
    for line in lines:
        if line and not line.startswith("#"):
            pattern = os.path.normpath(line.removeprefix("!").strip()).lstrip("/")
            rules.append((pattern, expression(pattern), line.startswith("!")))
    return rules


def expression(pattern: str) -> re.Pattern[str]:
    """Translate a pattern of .dockerignore: counted from the root of the context, ``*`` stops at a slash."""
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    text = "".join(words.get(part) or (part if part[:1] == "[" else re.escape(part)) for part in parts if part)
    return re.compile(f"{text}(?:/.*)?", re.DOTALL)


def context_files(context: str) -> list[str]:
    """Return the files (and links) of a build context, relative and sorted, without what .dockerignore excludes."""
    rules = ignore_rules(context)

    def kept(relative: str) -> bool:
        last = [taken for _, matches, taken in rules if matches.fullmatch(relative)][-1:]
        return last != [False]

    def entered(relative: str) -> bool:
        return kept(relative) or any(taken and f"{name}/".startswith(f"{relative}/") for name, _, taken in rules)

    found: list[str] = []
    for folder, folders, names in os.walk(context):
        relative = os.path.relpath(folder, context)
        prefix = "" if relative == "." else f"{relative}/"
        links = [item for item in folders if os.path.islink(os.path.join(folder, item))]
        folders[:] = sorted(item for item in folders if entered(prefix + item))
        found += [prefix + name for name in names + links if kept(prefix + name) or prefix + name == "Dockerfile"]
    return sorted(found)


def content_digest(context: str, base: str) -> str:
    """Return a digest of the names, modes and contents of a build context and of the id of its base."""
    digest = hashlib.sha256(base.encode())
    for name in context_files(context):
        path = os.path.join(context, name)
        executable = bool(os.lstat(path).st_mode & 0o100)
        if os.path.islink(path):
            content = os.readlink(path).encode()
        else:
            with open(path, "rb") as handle:
                content = handle.read()
        inner = hashlib.sha256(content).hexdigest()
        digest.update(f"\0{name}\0{executable}\0{inner}".encode())
    return digest.hexdigest()


def image_id(module: AnsibleModule, reference: str) -> str:
    """Return the id of an image of the local engine; empty when it is not there."""
    code, out, err = module.run_command(["docker", "image", "inspect", "--format", "{{.Id}}", reference])
    if code == 0:
        return str(out).strip()
    if "No such image" in err:
        return ""
    module.fail_json(msg=f"Cannot ask the Docker Engine of the control machine: {err.strip()}")
    return ""


def build(module: AnsibleModule, reference: str, context: str, base: str) -> str:
    """Build one image; returns its id."""
    command = ["docker", "build", "--tag", reference, "--build-arg", f"BASE_IMAGE={base}", context]
    code, out, err = module.run_command(command)
    if code != 0:
        said = "\n".join((out + "\n" + err).strip().splitlines()[-40:])
        module.fail_json(msg=f"Cannot build {reference} from {context}. Docker said:\n{said}")
    return image_id(module, reference)


def known_image(module: AnsibleModule, reference: str, identifier: str, directory: str) -> str:
    """Return the description of an image that was built before; empty when it is nowhere on this machine."""
    path = image_store.description_path(directory, reference, identifier)
    if os.path.exists(path):
        return path
    if shutil.which("docker") is None or image_id(module, reference) != identifier or module.check_mode:
        return ""
    return keep(module, reference, identifier, directory)


def keep(module: AnsibleModule, reference: str, identifier: str, directory: str) -> str:
    """Keep an image of the local engine for delivery; returns the path of its description."""
    path = image_store.description_path(directory, reference, identifier)
    if os.path.exists(path):
        return path
    problem = ""
    with subprocess.Popen(["docker", "save", reference], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as save:
        assert save.stdout is not None
        assert save.stderr is not None
        try:
            path = image_store.keep(directory, reference, identifier, save.stdout)
        except (image_store.BrokenImageError, tarfile.TarError, OSError) as error:
            problem = str(error)
            save.stdout.close()
        said = save.stderr.read().decode(errors="replace").strip()
    if problem or save.returncode != 0:
        module.fail_json(msg=f"Cannot keep {reference} in {directory}: {problem}\ndocker save said: {said[-1000:]}")
    return path


def base_image(module: AnsibleModule) -> str:
    """Return the id of the base image; it must be there, except in check mode."""
    if shutil.which("docker") is None:
        module.fail_json(
            msg="The control machine has no Docker client; images are built there. Install Docker and run again"
        )
    base_id = image_id(module, module.params["base"])
    if not base_id and not module.check_mode:
        module.fail_json(
            msg=f"The base image {module.params['base']} is not on the control machine. Make it with: make base"
        )
    return base_id


def main() -> None:
    """Build what is missing; a lock keeps two runs on one control machine apart."""
    image_spec = {
        "name": {"type": "str", "required": True},
        "context": {"type": "path", "required": True},
        "reference": {"type": "str"},
        "id": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "list", "elements": "dict", "options": image_spec, "required": True},
            "base": {"type": "str", "required": True},
            "archive_directory": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    directory = module.params["archive_directory"]
    os.makedirs(directory, exist_ok=True)
    wanted = module.params["images"]
    known = [item for item in wanted if item["id"]]
    images: dict[str, Any] = {}
    built: list[str] = []
    with open(os.path.join(directory, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for item in known:
            kept = known_image(module, item["reference"], item["id"], directory)
            images[item["name"]] = {"reference": item["reference"], "id": item["id"], "kept": kept}
        fresh = [item for item in wanted if not item["id"]]
        if fresh:
            base_id = base_image(module)
        for item in fresh:
            reference = f"{item['name']}:{content_digest(item['context'], base_id)[:TAG_LENGTH]}"
            identifier = image_id(module, reference)
            if not identifier:
                built.append(reference)
                if not module.check_mode:
                    identifier = build(module, reference, item["context"], module.params["base"])
            kept = keep(module, reference, identifier, directory) if identifier and not module.check_mode else ""
            images[item["name"]] = {"reference": reference, "id": identifier, "kept": kept}
    diff = {"before": "", "after": "".join(f"{name}\n" for name in built), "after_header": "images"}
    module.exit_json(changed=bool(built), images=images, built=built, diff=diff)


if __name__ == "__main__":
    main()
