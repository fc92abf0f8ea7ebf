"""The SPA in a real Chromium through the load balancer of one server, which stores photos: the whole path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def test_people_work_with_the_spa_in_a_real_browser(server: Any, request: Any) -> None:
    root = Path(request.config.rootpath)
    environment = {
        **os.environ,
        "ENLEVOHUB_URL": server.public,
        "ENLEVOHUB_SCREENSHOTS": str(root / "build" / "screenshots"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/browser/test_spa.py"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=600)
    print(done.stdout[-3000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
