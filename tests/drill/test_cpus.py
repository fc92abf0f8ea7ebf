"""CPUs for the servers of a lab, on made-up control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from enlevohub_bench_api.quota import NotAllowedError
from enlevohub_drill.cpus import confine, cpuset_mount, numbers, split


class Group(type(Path())):  # type: ignore[misc]
    """A folder whose file follows the kernel: no CPU that the group above lacks, none less than a group below."""

    def write_text(self, data: str, *_: object, **__: object) -> int:
        """Refuse what the kernel refuses."""
        wanted = numbers(data)
        above = self.parent.parent / "cpuset.cpus"
        if above.exists() and not wanted <= numbers(above.read_text()):
            raise PermissionError(self)
        for below in self.parent.glob("*/cpuset.cpus"):
            if not numbers(below.read_text()) <= wanted:
                raise OSError(16, "Device or resource busy", str(self))
        return int(super().write_text(data))


def tree(root: Path, cpus: str) -> list[Path]:
    """Make a group with two levels below it; returns the files."""
    folders = [root, root / "docker", root / "docker" / "one", root / "docker" / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "cpuset.cpus").write_text(cpus)
    return [folder / "cpuset.cpus" for folder in folders]


@pytest.mark.parametrize(("before", "after"), [("0-1", "1"), ("1", "0-1"), ("0-1", "0-1")])
def test_a_group_and_all_below_it_get_the_cpus_in_an_order_that_the_kernel_takes(
    tmp_path: Path, before: str, after: str
) -> None:
    files = tree(tmp_path / "server", before)
    confine(Group(tmp_path / "server"), after)
    assert [file.read_text() for file in files] == [after] * 4


def test_the_rule_of_the_kernel_is_kept_by_the_made_up_group(tmp_path: Path) -> None:
    tree(tmp_path / "server", "0-1")
    with pytest.raises(OSError, match="busy"):
        Group(tmp_path / "server" / "cpuset.cpus").write_text("1")


def test_lists_of_the_kernel_are_read() -> None:
    assert numbers("0-2,5\n") == {0, 1, 2, 5}
    assert numbers("\n") == set()


def test_cpus_are_halved_and_one_cpu_cannot_be() -> None:
    assert split([0, 1]) == ([0], [1])
    assert split([2, 3, 5]) == ([2], [3, 5])
    with pytest.raises(NotAllowedError, match="one CPU"):
        split([0])


def test_hierarchy_with_cpusets_is_found_in_version_1_only() -> None:
    one = "cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0\n"
    two = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
    assert cpuset_mount(two + one) == Path("/sys/fs/cgroup/cpuset")
    assert cpuset_mount(two) is None
