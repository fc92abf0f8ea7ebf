"""CPU time from /proc, and limits by control groups, on made-up files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from enlevohub_bench_api.quota import NotAllowedError, background, find_hierarchy, groups
from enlevohub_bench_api.servers import Stranger
from enlevohub_bench_api.usage import Process, parse_stat, processes, tree_seconds

BURN = "import time\nwhile time.process_time() < 0.5: pass\n"


def stat_line(name: str, parent: int, times: tuple[int, int, int, int]) -> str:
    """Make a line as the kernel does; fields that do not matter are 0."""
    return f"42 ({name}) S {parent} 0 0 0 0 0 0 0 0 0 {' '.join(map(str, times))} 20 0 1 0 0 0\n"


@pytest.mark.parametrize("name", ["node", "a b", "a) S 1 (b"])
def test_stat_is_read_whatever_the_name(name: str) -> None:
    assert parse_stat(stat_line(name, 7, (100, 50, 30, 20)), 100) == Process(7, 2.0)


def test_tree_is_all_below_its_roots_once() -> None:
    table = {1: Process(0, 100.0), 2: Process(1, 1.0), 3: Process(2, 2.0), 4: Process(3, 4.0), 5: Process(1, 50.0)}
    assert tree_seconds([2], table) == 7.0
    assert tree_seconds([2, 3], table) == 7.0
    assert tree_seconds([99], table) == 0.0


def test_time_of_an_ended_child_stays_with_its_parent() -> None:
    before = tree_seconds([os.getpid()], processes())
    subprocess.run([sys.executable, "-c", BURN], check=True, timeout=120)
    assert tree_seconds([os.getpid()], processes()) - before >= 0.45


def test_processes_that_end_while_they_are_read_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(stat_line("x", 1, (1, 1, 0, 0)), encoding="utf-8")
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "stat").symlink_to(tmp_path / "gone")
    (tmp_path / "self").mkdir()
    assert list(processes(tmp_path)) == [7]


def mount_line(place: Path, kind: str, options: str) -> str:
    """Make a line of /proc/mounts."""
    return f"{kind} {place} {kind} {options} 0 0\n"


def test_version_1_hierarchy_is_the_one_with_the_controller(tmp_path: Path) -> None:
    mounts = mount_line(tmp_path / "cpuset", "cgroup", "rw,cpuset") + mount_line(tmp_path / "x", "cgroup", "rw,cpu")
    found = find_hierarchy(mounts)
    assert (found.root, found.version) == (tmp_path / "x", 1)


def test_version_2_hierarchy_without_the_controller_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids\n", encoding="ascii")
    with pytest.raises(NotAllowedError):
        find_hierarchy(mount_line(tmp_path, "cgroup2", "rw"))
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n", encoding="ascii")
    assert find_hierarchy(mount_line(tmp_path, "cgroup2", "rw")).version == 2


def test_nothing_mounted_is_not_allowed() -> None:
    with pytest.raises(NotAllowedError, match="no mounted"):
        find_hierarchy("proc /proc proc rw 0 0\n")


def test_refused_group_is_not_allowed_and_says_why(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(mount_line(tmp_path / "missing", "cgroup", "rw,cpu"), encoding="utf-8")
    with pytest.raises(NotAllowedError, match=r"version 1.*missing"), groups(1, 0.25, mounts):
        pytest.fail("no group was made")


@pytest.mark.parametrize(
    ("kind", "options", "files"),
    [
        ("cgroup", "rw,cpu", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "25000"}),
        ("cgroup2", "rw", {"cpu.max": "25000 100000"}),
    ],
)
def test_groups_get_their_share_and_are_removed(tmp_path: Path, kind: str, options: str, files: dict[str, str]) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "cgroup.controllers").write_text("cpu\n", encoding="ascii")
    mounts = tmp_path / "mounts"
    mounts.write_text(mount_line(root, kind, options), encoding="utf-8")
    with groups(2, 0.25, mounts) as members:
        assert len(members) == 2
        for member in members:
            assert member.name == "cgroup.procs"
            assert {path.name: path.read_text(encoding="ascii") for path in member.parent.iterdir()} == files
            for path in member.parent.iterdir():
                path.unlink()  # the kernel removes the files of a group with the group
        if kind == "cgroup2":
            assert (root / "cgroup.subtree_control").read_text(encoding="ascii") == "+cpu"
    assert not [path for path in root.iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("kind", "options", "files"),
    [("cgroup", "rw,cpu", {"cpu.shares": "205"}), ("cgroup2", "rw", {"cpu.weight": "20"})],
)
def test_background_group_gets_what_others_leave_and_stays(
    tmp_path: Path, kind: str, options: str, files: dict[str, str]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "cgroup.controllers").write_text("cpu\n", encoding="ascii")
    mounts = tmp_path / "mounts"
    mounts.write_text(mount_line(root, kind, options), encoding="utf-8")
    members = [background("control", mounts) for _ in range(2)]
    assert members == [root / "control" / "cgroup.procs"] * 2
    assert {path.name: path.read_text(encoding="ascii") for path in (root / "control").iterdir()} == files


@pytest.mark.parametrize(("kind", "options"), [("cgroup", "rw,cpu"), ("cgroup2", "rw")])
def test_background_group_gets_idle_cpus_only_where_the_kernel_can(tmp_path: Path, kind: str, options: str) -> None:
    group = tmp_path / "root" / "control"
    group.mkdir(parents=True)
    (group.parent / "cgroup.controllers").write_text("cpu\n", encoding="ascii")
    (group / "cpu.idle").write_text("0", encoding="ascii")
    mounts = tmp_path / "mounts"
    mounts.write_text(mount_line(group.parent, kind, options), encoding="utf-8")
    background("control", mounts)
    assert {path.name: path.read_text(encoding="ascii") for path in group.iterdir()} == {"cpu.idle": "1"}


def test_stranger_works_only_when_it_is_asked_to(tmp_path: Path) -> None:
    file = tmp_path / "cgroup.procs"
    with Stranger(file) as stranger:
        pid = int(file.read_text())

        def seconds() -> float:
            return tree_seconds([pid], processes())

        def state() -> str:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

        def wait_for(happened: Callable[[], bool]) -> None:
            deadline = time.monotonic() + 60
            while not happened():
                assert time.monotonic() < deadline
                time.sleep(0.01)

        wait_for(lambda: state() == "T")
        rested = seconds()
        with stranger.at_work():
            wait_for(lambda: seconds() >= rested + 0.2)
        wait_for(lambda: state() == "T")
    assert not Path(f"/proc/{pid}").exists()
