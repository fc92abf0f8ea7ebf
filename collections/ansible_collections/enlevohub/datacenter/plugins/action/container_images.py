"""Deliver images from the control machine to a host and prove that their ids are the same."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.enlevohub.datacenter.plugins.module_utils.image_store import archive


class ActionModule(ActionBase):
    """Action of enlevohub.datacenter.container_images."""

    _requires_connection = True
    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Copy and load what is missing on the host, without the layers that it has; fails when an id differs then."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        images: dict[str, dict[str, str]] = self._task.args["images"]
        name = "enlevohub.datacenter.container_images"
        keep = self._task.args.get("keep", 5)
        answer = self._execute_module(module_name=name, module_args={"images": images}, task_vars=task_vars)
        missing: list[str] = answer.get("missing", [])
        if answer.get("failed") or not missing or self._task.check_mode:
            result.update(answer)
            return result
        absent = [images[item]["reference"] for item in missing if not images[item]["kept"]]
        if absent:
            result.update(
                failed=True,
                msg=f"{', '.join(absent)}: neither on this host nor on the control machine. Run from the machine that "
                "built it (its build/images has them), or deploy a release that can be built here",
            )
            return result
        existing: list[list[str]] = answer["layers"]
        sent = 0
        remote = self._make_tmp_path()
        try:
            for item in missing:
                path = archive(images[item]["kept"], existing)
                sent += os.path.getsize(path)
                target = self._connection._shell.join_path(remote, os.path.basename(path))
                self._transfer_file(path, target)
                arguments = {"images": {item: images[item]}, "load": target, "keep": keep}
                answer = self._execute_module(module_name=name, module_args=arguments, task_vars=task_vars)
                if answer.get("failed"):
                    break
                if answer["missing"]:
                    answer = {
                        "failed": True,
                        "msg": f"{images[item]['reference']}: the id on the host differs from {images[item]['id']}",
                    }
                    break
        finally:
            self._remove_tmp_path(remote, force=True)
        result.update(answer)
        result.update(changed=True, missing=missing, sent_bytes=sent)
        result.pop("layers", None)
        result["diff"] = {"before": "", "after": "".join(f"{images[item]['reference']}\n" for item in missing)}
        return result
