"""What happens to the datacenter while users work, and what they notice."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from enlevohub_drill import variants
from enlevohub_drill.load import Load, Period
from enlevohub_drill.site import BIN, ROOT, Datacenter, PlaybookRun, program

BEFORE_SECONDS = 30.0
"""Long enough to know that the users are well: 1,600 requests at the usual rate."""
NEWCOMER = "app4"
HEALTH_TIMEOUT = 30
DEPLOY = "playbooks/deploy.yml"


@dataclasses.dataclass
class Result:
    """One case.

    Attributes:
        name: what happened.
        planned: whether an operator does it on purpose, so that no request may fail.
        seconds: how long it took.
        before, during: what the users noticed.
        hosts_touched: backends whose containers are other ones afterwards.
        seconds_per_host: of the rolling part, where there is one.
        notes: further figures.
        before_window, during_window: from when to when (monotonic) the users were watched.
    """

    name: str
    planned: bool
    seconds: float
    before: Period
    during: Period
    hosts_touched: list[str]
    seconds_per_host: list[float]
    notes: dict[str, Any]
    before_window: tuple[float, float]
    during_window: tuple[float, float]


class Drill:
    """Runs cases on one datacenter under load."""

    def __init__(
        self, site: Datacenter, load: Load, refresh_token: str, before_seconds: float = BEFORE_SECONDS
    ) -> None:
        """Use a site whose load runs already.

        Args:
            site: the datacenter.
            load: its users.
            refresh_token: that of the user of the load.
            before_seconds: how long the users are watched before a case.
        """
        self.before_seconds = before_seconds
        self.refresh_token = refresh_token
        self.site = site
        self.load = load
        self.number = int(time.time()) % 100000

    def version(self) -> str:
        """Return a version that was never used."""
        self.number += 1
        return f"9.{self.number}.0"

    def containers(self) -> dict[str, str]:
        """Return the ids of the API's containers by host."""
        command = "docker ps --no-trunc --quiet --filter label=com.docker.compose.service=api"
        return {host: self.site.run(host, command) for host in self.site.groups["backend_servers"]}

    def renew(self) -> None:
        """Give the load a token that outlives the next case; the user stays the same."""
        answer = self.site.get("/api/v1/auth/refresh", {"refreshToken": self.refresh_token})
        if answer.status != 200:
            raise RuntimeError(f"the token of the load cannot be renewed: {answer.status} {answer.text}")
        self.refresh_token = answer.body["refreshToken"]
        self.load.token = answer.body["accessToken"]

    def case(self, name: str, planned: bool, action: Callable[[], dict[str, Any]]) -> Result:
        """Do one thing under load and tell what came of it."""
        self.renew()
        begin = time.monotonic()
        wait_until(begin + self.before_seconds)
        containers, before, start = self.containers(), self.load.quick(begin), time.monotonic()
        notes = action()
        end = time.monotonic()
        wait_until(end + 5)  # what the action broke may show a moment later
        after = self.containers()
        touched = sorted(host for host in after if after[host] != containers.get(host, after[host]))
        per_host = notes.pop("seconds_per_host", [])
        return Result(
            name,
            planned,
            round(end - start, 1),
            before,
            self.load.between(start, end + 5),
            touched,
            per_host,
            notes,
            (begin, start),
            (start, end + 5),
        )

    def deploy(self, *arguments: str, code: int | None = 0, playbook: str = DEPLOY) -> dict[str, Any]:
        """Run a playbook; returns the figures of its rolling part."""
        run = self.site.playbook(*arguments, "-e", "rollout_watch=5", code=code, playbook=playbook)
        return {"seconds_per_host": rolling(run), "code": run.code}

    # --- the cases

    def releases(self, count: int) -> Result:
        """Bring new versions, one after the other."""

        def act() -> dict[str, Any]:
            figures: list[float] = []
            for _ in range(count):
                version = self.version()
                figures += self.deploy("-e", f"release={version}", *variants.good(version))["seconds_per_host"]
                self.renew()
            return {"seconds_per_host": figures, "releases": count, "archive_bytes": newest_archive()}

        return self.case(f"{count} releases in a row", True, act)

    def rollback(self) -> Result:
        """Go back to the release before."""
        return self.case("rollback", True, lambda: self.deploy(playbook="playbooks/rollback.yml"))

    def growth(self) -> Result:
        """Add one server and take it away again."""

        def act() -> dict[str, Any]:
            with one_more_server(self.site) as name:
                begin = time.monotonic()
                self.site.playbook("-e", f"backend={name}", playbook="playbooks/add-backend.yml")
                added = time.monotonic()
                self.renew()
                served = self.site.wait(f"an answer of {name}", lambda: self.served_by(name), 60, 0.2)
                self.site.playbook("-e", f"backend={name}", playbook="playbooks/remove-backend.yml")
                removed = time.monotonic()
            return {
                "add_seconds": round(added - begin, 1),
                "remove_seconds": round(removed - added - served, 1),
            }

        return self.case("one backend more, one less", True, act)

    def served_by(self, name: str) -> bool:
        """Whether a request through the load balancer reaches a backend."""
        return any(self.site.get("/api/v1/").headers.get("x-served-by") == name for _ in range(5))

    def switchover(self) -> Result:
        """Move the leader of the database in the middle of a release."""

        def act() -> dict[str, Any]:
            version, done = self.version(), threading.Event()
            problems: list[str] = []

            def move() -> None:
                done.wait(12)
                leader = self.site.leader()
                scope = self.site.variables[leader]["enlevohub_environment"]
                command = (
                    f"patronictl -c /etc/patroni/config.yml switchover enlevohub-{scope} --leader {leader} --force"
                )
                try:
                    self.site.run(leader, command)
                except AssertionError as error:
                    problems.append(str(error)[-300:])

            thread = threading.Thread(target=move, name="switchover")
            thread.start()
            try:
                figures = self.deploy("-e", f"release={version}", *variants.good(version))
            finally:
                done.set()
                thread.join()
            self.site.wait("a whole cluster", self.site.whole, 180)
            return {**figures, "problems": problems}

        return self.case("switchover of the database in a release", True, act)

    def broken(self, name: str, change: str, *more: str) -> Result:
        """Bring a version that does not stay up: it must go back by itself."""

        def act() -> dict[str, Any]:
            version = self.version()
            arguments = variants.broken(version, change)
            timeout = f"rollout_timeout={HEALTH_TIMEOUT}"
            run = self.site.playbook(
                "-e", f"release={version}", "-e", timeout, *arguments, *more, code=None, playbook=DEPLOY
            )
            said = run.output.split("fatal:")[-1][:1500]
            back = round(run.seconds_between(REPLACE, BACK_END), 1)
            return {"code": run.code, "back_after_seconds": back, "said": said}

        return self.case(name, False, act)

    def kill(self) -> Result:
        """Kill the process of one backend."""

        def act() -> dict[str, Any]:
            host = self.site.groups["backend_servers"][-1]
            started = "docker inspect --format '{{.State.StartedAt}}' backend-api-1"
            before = self.site.run(host, started)
            begin = time.monotonic()
            self.site.run(host, "kill -9 $(docker inspect --format '{{.State.Pid}}' backend-api-1)")
            self.site.wait("a new process", lambda: self.site.run(host, started) != before, 60, 0.2)
            self.site.wait("an answer of it", lambda: self.served_by(host), 120, 0.2)
            return {"back_after_seconds": round(time.monotonic() - begin, 1), "host": host}

        return self.case("kill -9 of a backend", False, act)

    def engine(self) -> Result:
        """Restart the Docker Engine of one server."""

        def act() -> dict[str, Any]:
            host = self.site.groups["backend_servers"][-1]
            begin = time.monotonic()
            self.site.run(host, "systemctl restart docker")
            self.site.wait("an answer of the server", lambda: self.all_up() and self.served_by(host), 180, 0.2)
            return {"back_after_seconds": round(time.monotonic() - begin, 1), "host": host}

        return self.case("restart of the Docker Engine", False, act)

    def control(self) -> Result:
        """Replace all backends the plain way, without a drain: the client must see losses."""

        def act() -> dict[str, Any]:
            for host in self.site.groups["backend_servers"]:
                file = "/opt/enlevohub/backend/compose.yaml"
                self.site.run(host, f"docker compose -p backend -f {file} up -d --force-recreate -t 0 api")
            self.site.wait("all members up", self.all_up, 120)
            return {}

        return self.case("control: docker compose up without a drain", False, act)

    def busy(self) -> Result:
        """Keep half a CPU of one application server busy, and release nothing: what that alone costs the others."""

        def act() -> dict[str, Any]:
            host = self.site.groups["backend_servers"][0]
            self.site.run(host, f"timeout {BUSY_SECONDS + 30} python3 -c '{HALF_BUSY}'")
            return {"host": host}

        return self.case("half a CPU of one server busy, no release", False, act)

    def all_up(self) -> bool:
        """Whether the load balancer says that every member is up."""
        return all(member["state"].startswith("UP") for member in self.site.pools())


BUSY_SECONDS = 120
HALF_BUSY = f"""
import time
end = time.monotonic() + {BUSY_SECONDS}
while time.monotonic() < end:
    worked = time.process_time()
    while time.process_time() < worked + 0.3:
        pass
    time.sleep(0.3)
"""

REPLACE = "PLAY [Replace one backend after the other]"
BACK_END = "PLAY [Put the files of the backends back"


def wait_until(moment: float) -> None:
    """Let the load run on until a moment (monotonic)."""
    threading.Event().wait(max(0.0, moment - time.monotonic()))


def rolling(run: PlaybookRun) -> list[float]:
    """Return the seconds of each host in the rolling play of the backends."""
    moments = [moment for moment, line in run.lines if line.startswith("PLAY ")]
    plays = [line for _, line in run.lines if line.startswith("PLAY ")]
    return [
        round(moments[index + 1] - moments[index], 1)
        for index, line in enumerate(plays[:-1])
        if line.startswith(REPLACE)
    ]


def at_line(
    site: Datacenter,
    words: str,
    action: Callable[[subprocess.Popen[str]], None],
    *given: str,
    playbook: str = DEPLOY,
) -> int:
    """Run a playbook and do something with its process once a line with the words came; returns the exit code."""
    command = [str(BIN / "ansible-playbook"), "-i", str(site.inventory), playbook, *given]
    environment = os.environ | {"ANSIBLE_NOCOLOR": "1"}
    done = False
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if words in line and not done:
                done = True
                action(process)
        code = process.wait()
    assert done, f"the run never said '{words}'"
    return code


def newest_archive() -> int:
    """Return the size in bytes of what travelled last to each host."""
    found = sorted((ROOT / "build" / "images").glob("*-from-*.tar"), key=lambda path: path.stat().st_mtime)
    return found[-1].stat().st_size if found else 0


@contextmanager
def blank_server(site: Datacenter, name: str) -> Iterator[str]:
    """Make one more blank server in the network of a lab; yields its address, removes the server afterwards."""
    remove_server(site, name)
    said = program("enlevohub_lab", "--inventory", str(site.inventory), "host", name)
    if said.returncode != 0:
        raise RuntimeError(said.stdout + said.stderr)
    (address,) = set(re.findall(rf"{name}: \{{ansible_host: ([\d.]+)\}}", said.stdout))
    try:
        yield address
    finally:
        remove_server(site, name)


def remove_server(site: Datacenter, name: str) -> None:
    """Remove a server of a lab and what its engine kept; nothing happens where there is none."""
    container = f"enlevohub-{site.inventory.name}-{name}"
    for command in (["rm", "--force", "--volumes", container], ["volume", "rm", "--force", f"{container}-docker"]):
        subprocess.run(["docker", *command], check=True, capture_output=True, timeout=120)


@contextmanager
def one_more_server(site: Datacenter, name: str = NEWCOMER, group: str = "backend_servers") -> Iterator[str]:
    """Make one more blank server and write it into the inventory, in a file of its own; removes both afterwards."""
    environments = sorted({"lab", site.inventory.name})
    with blank_server(site, name) as address:
        path = site.inventory / "more.yml"
        groups = "".join(f"{each}:\n  hosts:\n    {name}:\n" for each in (group, *environments))
        path.write_text(f"all:\n  hosts:\n    {name}: {{ansible_host: {address}}}\n{groups}", encoding="utf-8")
        try:
            yield name
        finally:
            path.unlink()
