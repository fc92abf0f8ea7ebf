"""Render the files of a role on the controller and hand them to the host in one call."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template


class ActionModule(ActionBase):
    """Action of enlevohub.datacenter.files: ``template`` becomes ``content``, secret contents travel apart."""

    _requires_connection = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, then run the module; returns its result.

        Raises AnsibleActionFail when a template is missing or does not render, or an entry has nothing to write.
        """
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        entries = self._task.args.get("files")
        if not isinstance(entries, list):
            raise AnsibleActionFail("files: a list of files is required")
        files: list[dict[str, Any]] = []
        secrets: dict[str, str] = {}
        for entry in entries:
            item = {key: value for key, value in entry.items() if key != "template"}
            if item.get("state", "file") == "file":
                content = self._content(entry, task_vars)
                if item.get("secret"):
                    secrets[item["path"]] = content
                    item.pop("content", None)
                else:
                    item["content"] = content
            files.append(item)
        arguments = {"files": files, "secrets": secrets, "run": self._task.args.get("run", [])}
        result.update(
            self._execute_module(module_name="enlevohub.datacenter.files", module_args=arguments, task_vars=task_vars)
        )
        return result

    def _content(self, entry: dict[str, Any], task_vars: dict[str, Any]) -> str:
        """Return the content of one entry as text."""
        if "template" in entry:
            return self._render(entry["template"], task_vars)
        if "content" not in entry:
            raise AnsibleActionFail(f"{entry.get('path')}: needs 'template' or 'content'")
        content = entry["content"]
        return content if isinstance(content, str) else json.dumps(content, indent=2, sort_keys=True) + "\n"

    def _render(self, name: str, task_vars: dict[str, Any]) -> str:
        """Render one template of the role with the variables of the task."""
        source = self._find_needle("templates", name)
        with open(source, encoding="utf-8") as handle:
            text = trust_as_template(handle.read())
        search = [os.path.dirname(source), self._loader.get_basedir()]
        variables = {**task_vars, "template_path": source, "ansible_managed": "Ansible managed"}
        templar = self._templar.copy_with_new_env(searchpath=search, available_variables=variables)
        rendered = templar.template(text, preserve_trailing_newlines=True, escape_backslashes=False, overrides=None)
        if not isinstance(rendered, str):
            raise AnsibleActionFail(f"{name}: renders to {type(rendered).__name__}, text was expected")
        return rendered
