"""Other versions of the API: the same sources with one change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from enlevohub_drill.site import ROOT

ENTRY = "bin/enlevohub-api"
PROGRAM = """#!/opt/enlevohub/venv/bin/python
import os, sys, threading

from enlevohub_api.cli import main

{change}
sys.exit(main())
"""
NEVER_STARTS = """if sys.argv[1:] == ["serve"]:
    print("the version for this test does not start", file=sys.stderr)
    sys.exit(7)
"""
DIES = """if sys.argv[1:] == ["serve"]:
    threading.Timer({seconds}, lambda: os._exit(9)).start()
"""


def images(context: Path) -> list[str]:
    """Return the arguments for ansible-playbook that build the API from another directory."""
    wanted = {"enlevohub/api": str(context), "enlevohub/frontend": str(ROOT / "files" / "frontend")}
    return ["--extra-vars", json.dumps({"container_images_wanted": wanted})]


def _copy(name: str) -> Path:
    target = ROOT / "build" / "drill" / name
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "tests")
    shutil.copytree(ROOT / "files" / "api", target, ignore=ignored)
    return target


def good(version: str) -> list[str]:
    """Return the arguments for a version that only says another version number."""
    context = _copy(version)
    path = context / "src" / "enlevohub_api" / "__init__.py"
    lines = path.read_text(encoding="utf-8").splitlines()
    changed = [f'__version__ = "{version}"' if line.startswith("__version__") else line for line in lines]
    path.write_text("\n".join(changed) + "\n", encoding="utf-8")
    return images(context)


def broken(version: str, change: str) -> list[str]:
    """Return the arguments for a version whose service does not stay up, see NEVER_STARTS and DIES."""
    context = _copy(version)
    (context / ENTRY).write_text(PROGRAM.format(change=change), encoding="utf-8")
    return images(context)
