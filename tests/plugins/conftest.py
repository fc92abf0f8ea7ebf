"""Run one of the project's modules in this process, as Ansible would on a host."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils import testing

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a module with arguments and returns what it answers, as the text and as ``printed``.

    ``check`` and ``diff`` are the modes of the run.
    """

    def call(module: ModuleType, arguments: dict[str, Any], check: bool = False, diff: bool = True) -> dict[str, Any]:
        modes = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": tempfile.gettempdir()}
        with testing.patch_module_args({**arguments, **modes}), pytest.raises(SystemExit):
            module.main()
        printed = capsys.readouterr().out
        answer: dict[str, Any] = json.loads(printed)
        return {**answer, "printed": printed}

    return call
