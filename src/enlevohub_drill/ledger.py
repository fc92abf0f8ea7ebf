"""The writer on an application server, and its ledger on this machine."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
from typing import Any

from enlevohub_drill.judge import Verdict, Write, acknowledged, judge
from enlevohub_drill.servers import ServerError, Servers, wait


class Ledger:
    """Runs the writer over SSH for as long as the context lasts, and keeps what it tells."""

    def __init__(self, servers: Servers, client: str, directory: str) -> None:
        """Use the program in a directory of an application server, see the role `failover_drill`."""
        self.servers, self.client, self.directory = servers, client, directory
        self.writes: list[Write] = []
        self._answers: list[dict[str, Any]] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Ledger:
        """Begin to write."""
        script = f"exec python3 -u {self.directory}/writer.py {self.directory}/dsn"
        command = [*self.servers.ssh(self.client), "sudo -n sh -c " + shlex.quote(script)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        threading.Thread(target=self._listen, name="ledger", daemon=True).start()
        self.wait_for_writes(60)
        return self

    def __exit__(self, *_: object) -> None:
        """End the writer; it ends with its input."""
        assert self._process is not None
        assert self._process.stdin is not None
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "outcome" in answer:
                self.writes.append(Write(**answer))
            else:
                self._answers.append(answer)

    def acked(self) -> int:
        """Return how many writes were acknowledged so far."""
        return sum(write.outcome == "ok" for write in self.writes)

    def wait_for_writes(self, seconds: float, count: int = 25) -> None:
        """Wait until so many writes more are acknowledged, none of them before now.

        Raises:
            ServerError: they were not, with the last reason.
        """
        begin = len(self.writes)

        def enough() -> bool:
            self._alive()
            return len(acknowledged(self.writes[begin:])) >= count

        try:
            wait(f"{count} acknowledged writes", enough, seconds, 0.1)
        except ServerError as error:
            raise ServerError(f"{error}; the last write: {self.writes[-1] if self.writes else 'none'}") from error

    def _alive(self) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            assert self._process.stderr is not None
            raise ServerError(f"the writer on {self.client} ended: {self._process.stderr.read()[-800:]}")

    def _ask(self, word: str, key: str, seconds: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")

        def answered() -> bool:
            self._alive()
            return any(key in answer for answer in self._answers)

        wait(f"the writer's answer to '{word}'", answered, seconds, 0.1)
        return next(answer for answer in self._answers if key in answer)

    def verdict(self) -> Verdict:
        """End the writing and compare the ledger with what the leader has.

        The table stays for a look when an acknowledged write is missing.
        """
        present = self._ask("read", "present", 120)["present"]
        found = judge(self.writes, present)
        if not found.lost:
            self._ask("drop", "dropped", 60)
        return found
