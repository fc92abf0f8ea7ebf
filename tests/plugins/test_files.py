"""files: writes what differs, and nothing else."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules import files

Run = Callable[..., dict[str, Any]]
OWNER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name
SECRET = "a-secret-of-the-test"


def entry(path: Path, **options: Any) -> dict[str, Any]:
    """Return a file of the present user."""
    return {"path": str(path), "owner": OWNER, "group": GROUP, **options}


def mode(path: Path) -> str:
    """Return the mode of a path as text."""
    return f"{stat.S_IMODE(path.lstat().st_mode):04o}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A path below a directory that does not exist yet."""
    return tmp_path / "etc" / "service.conf"


def test_new_file_has_its_content(run: Run, path: Path) -> None:
    answer = run(files, {"files": [entry(path, content="port = 1\n")]})
    assert path.read_text() == "port = 1\n"
    assert (answer["changed"], answer["changed_paths"]) == (True, [str(path)])


@pytest.mark.parametrize(("wanted", "given"), [("0644", None), ("0400", "0400"), ("0755", "0755")])
def test_new_file_has_its_mode(run: Run, path: Path, wanted: str, given: str | None) -> None:
    run(files, {"files": [entry(path, content="x", mode=given)]})
    assert mode(path) == wanted


def test_second_run_changes_nothing(run: Run, path: Path) -> None:
    arguments = {"files": [entry(path, content="x\n", mode="0600")]}
    run(files, arguments)
    before = path.stat()
    answer = run(files, arguments)
    assert (answer["changed"], answer["changed_paths"], answer["diff"]) == (False, [], [])
    assert (path.stat().st_ino, path.stat().st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


def test_other_content_is_replaced_in_one_step(run: Run, path: Path) -> None:
    run(files, {"files": [entry(path, content="old\n")]})
    with path.open() as reader:
        run(files, {"files": [entry(path, content="new\n")]})
        assert reader.read() == "old\n"
    assert path.read_text() == "new\n"


def test_nothing_is_left_beside_the_file(run: Run, path: Path) -> None:
    run(files, {"files": [entry(path, content="x")]})
    assert list(path.parent.iterdir()) == [path]


def test_diff_shows_before_and_after(run: Run, path: Path) -> None:
    run(files, {"files": [entry(path, content="old\n")]})
    (diff,) = run(files, {"files": [entry(path, content="new\n")]})["diff"]
    assert (diff["before"], diff["after"], diff["after_header"]) == ("old\n", "new\n", str(path))


def test_wrong_mode_is_repaired_without_a_new_file(run: Run, path: Path) -> None:
    arguments = {"files": [entry(path, content="x", mode="0640")]}
    run(files, arguments)
    inode = path.stat().st_ino
    path.chmod(0o666)
    answer = run(files, arguments)
    assert (answer["changed"], mode(path), path.stat().st_ino) == (True, "0640", inode)


@pytest.mark.parametrize("state", ["file", "directory", "absent"])
def test_check_mode_says_changed_and_changes_nothing(run: Run, tmp_path: Path, state: str) -> None:
    path = tmp_path / "path"
    if state == "absent":
        path.write_text("here")
    before = sorted(tmp_path.iterdir())
    answer = run(files, {"files": [entry(path, state=state, content="x")]}, check=True)
    assert answer["changed"] is True
    assert sorted(tmp_path.iterdir()) == before


def test_check_mode_leaves_mode_and_content(run: Run, path: Path) -> None:
    run(files, {"files": [entry(path, content="old", mode="0600")]})
    run(files, {"files": [entry(path, content="new", mode="0644")]}, check=True)
    assert (path.read_text(), mode(path)) == ("old", "0600")


def test_check_mode_makes_no_parents(run: Run, path: Path) -> None:
    run(files, {"files": [entry(path, content="x")]}, check=True)
    assert not path.parent.exists()


def test_secret_is_written(run: Run, path: Path) -> None:
    run(files, {"files": [entry(path, secret=True, mode="0400")], "secrets": {str(path): SECRET}})
    assert (path.read_text(), mode(path)) == (SECRET, "0400")


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("step", ["first", "changed", "unchanged", "removed"])
def test_secret_is_in_no_output(run: Run, path: Path, check: bool, step: str) -> None:
    if step != "first":
        run(files, {"files": [entry(path, secret=True)], "secrets": {str(path): SECRET}})
    state = "absent" if step == "removed" else "file"
    wanted = f"another-{SECRET}" if step == "changed" else SECRET
    answer = run(files, {"files": [entry(path, secret=True, state=state)], "secrets": {str(path): wanted}}, check=check)
    assert answer["changed"] is (step != "unchanged")
    assert SECRET not in answer["printed"]


def test_line_of_a_secret_that_its_check_quotes_is_in_no_output(run: Run, path: Path) -> None:
    content = f"user = operator\npassword = {SECRET}\n"
    checked = entry(path, secret=True, validate="sh -c 'grep password %s; exit 1'")
    answer = run(files, {"files": [checked], "secrets": {str(path): content}})
    assert answer["failed"] is True
    assert SECRET not in answer["printed"]


def test_content_that_its_check_refuses_leaves_the_old_file(run: Run, path: Path) -> None:
    run(files, {"files": [entry(path, content="good\n")]})
    answer = run(files, {"files": [entry(path, content="bad\n", validate="grep -q good %s")]})
    assert answer["failed"] is True
    assert path.read_text() == "good\n"
    assert list(path.parent.iterdir()) == [path]


def test_refused_content_names_file_and_check(run: Run, path: Path) -> None:
    answer = run(files, {"files": [entry(path, content="bad\n", validate="grep good %s")]})
    assert answer["msg"].startswith(f"{path}: the new content is refused by 'grep'")


def test_content_that_its_check_likes_lands(run: Run, path: Path) -> None:
    run(files, {"files": [entry(path, content="good\n", validate="grep -q good %s")]})
    assert path.read_text() == "good\n"


def test_check_mode_checks_new_content_too(run: Run, path: Path) -> None:
    answer = run(files, {"files": [entry(path, content="bad\n", validate="grep -q good %s")]}, check=True)
    assert answer["failed"] is True


def test_check_mode_skips_a_check_whose_program_comes_later(run: Run, path: Path) -> None:
    checked = entry(path, content="x", validate="no-such-program-yet %s")
    assert run(files, {"files": [checked]}, check=True)["changed"] is True


def test_directory_has_its_mode(run: Run, tmp_path: Path) -> None:
    run(files, {"files": [entry(tmp_path / "data", state="directory", mode="0700")]})
    assert (mode(tmp_path / "data"), (tmp_path / "data").is_dir()) == ("0700", True)


def test_directory_that_is_there_is_not_a_change(run: Run, tmp_path: Path) -> None:
    arguments = {"files": [entry(tmp_path / "data", state="directory", mode="0700")]}
    run(files, arguments)
    assert run(files, arguments)["changed"] is False


def test_directory_is_not_made_over_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    answer = run(files, {"files": [entry(tmp_path / "data", state="directory")]})
    assert "exists and is not a directory; remove it first" in answer["msg"]


def test_file_is_not_written_over_a_directory(run: Run, path: Path) -> None:
    path.mkdir(parents=True)
    answer = run(files, {"files": [entry(path, content="x")]})
    assert "is a directory, a file is wanted; remove it first" in answer["msg"]


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_absent_path_is_removed(run: Run, tmp_path: Path, kind: str) -> None:
    path, kept = tmp_path / "path", tmp_path / "kept"
    kept.mkdir()
    (kept / "content").write_text("x")
    make = {
        "file": lambda: path.write_text("x"),
        "directory": lambda: (path / "below").mkdir(parents=True),
        "link": lambda: path.symlink_to(kept),
    }
    make[kind]()
    assert run(files, {"files": [entry(path, state="absent")]})["changed"] is True
    assert not os.path.lexists(path)
    assert (kept / "content").exists()


def test_absent_path_that_is_gone_is_not_a_change(run: Run, path: Path) -> None:
    assert run(files, {"files": [entry(path, state="absent")]})["changed"] is False


def test_link_is_replaced_by_a_file_and_its_target_stays(run: Run, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("same")
    (tmp_path / "path").symlink_to(tmp_path / "target")
    run(files, {"files": [entry(tmp_path / "path", content="same")]})
    assert not (tmp_path / "path").is_symlink()
    assert (tmp_path / "target").read_text() == "same"


def test_unknown_owner_is_named(run: Run, path: Path) -> None:
    answer = run(files, {"files": [{**entry(path, content="x"), "owner": "no-such-user"}]})
    assert answer["msg"] == f"{path}: the owner 'no-such-user' does not exist on this host"


def test_unknown_owner_is_no_failure_on_a_blank_host_in_check_mode(run: Run, path: Path) -> None:
    answer = run(files, {"files": [{**entry(path, content="x"), "owner": "no-such-user"}]}, check=True)
    assert answer["changed"] is True


def test_command_runs_once_after_its_files_changed(run: Run, tmp_path: Path) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    command = {"on": [str(path) for path in paths], "command": ["sh", "-c", f"echo ran >> {tmp_path}/log"]}
    arguments = {"files": [entry(path, content="x") for path in paths], "run": [command]}
    run(files, arguments)
    assert (tmp_path / "log").read_text() == "ran\n"


def test_command_does_not_run_without_a_change(run: Run, tmp_path: Path) -> None:
    command = {"on": [str(tmp_path / "one")], "command": ["sh", "-c", f"echo ran >> {tmp_path}/log"]}
    arguments = {"files": [entry(tmp_path / "one", content="x")], "run": [command]}
    run(files, arguments)
    assert run(files, arguments)["changed"] is False
    assert (tmp_path / "log").read_text() == "ran\n"


def test_command_does_not_run_in_check_mode(run: Run, tmp_path: Path) -> None:
    command = {"on": [str(tmp_path / "one")], "command": ["touch", str(tmp_path / "product")]}
    run(files, {"files": [entry(tmp_path / "one", content="x")], "run": [command]}, check=True)
    assert not (tmp_path / "product").exists()


def test_command_heals_a_run_that_was_killed_before_it(run: Run, tmp_path: Path) -> None:
    source, product = tmp_path / "source", tmp_path / "product"
    run(files, {"files": [entry(source, content="x")]})
    command = {"on": [str(source)], "command": ["touch", str(product)], "creates": str(product)}
    arguments = {"files": [entry(source, content="x")], "run": [command]}
    assert run(files, arguments)["ran"] == [f"touch {product}"]
    assert run(files, arguments)["changed"] is False


def test_command_that_fails_is_shown(run: Run, tmp_path: Path) -> None:
    command = {"on": [str(tmp_path / "one")], "command": ["sh", "-c", "echo broken; exit 3"]}
    answer = run(files, {"files": [entry(tmp_path / "one", content="x")], "run": [command]})
    assert answer["failed"] is True
    assert "failed with 3: broken" in answer["msg"]
