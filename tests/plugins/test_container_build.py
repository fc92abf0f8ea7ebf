"""container_build: an image is named by the content that Docker gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules import container_build

from tests.conftest import ROOT

CONTENT = {"Dockerfile": "FROM base\n", "src/app.py": "print()\n", "src/deep/util.py": "x = 1\n", "run": "#!/bin/sh\n"}
BASE = "sha256:0123"


def make(directory: Path, content: dict[str, str] = CONTENT) -> Path:
    """Write a build context."""
    for name, text in content.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def digest(directory: Path, base: str = BASE) -> str:
    """Return the digest of a build context."""
    found: str = container_build.content_digest(str(directory), base)
    return found


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A build context."""
    return make(tmp_path / "context")


@pytest.mark.parametrize("name", CONTENT)
def test_digest_changes_with_the_content_of_the_file(context: Path, name: str) -> None:
    before = digest(context)
    (context / name).write_text("other\n")
    assert digest(context) != before


def test_digest_changes_with_a_name(context: Path) -> None:
    before = digest(context)
    (context / "run").rename(context / "start")
    assert digest(context) != before


def test_digest_changes_with_the_executable_bit(context: Path) -> None:
    before = digest(context)
    (context / "run").chmod(0o755)
    assert digest(context) != before


def test_digest_changes_with_a_new_file(context: Path) -> None:
    before = digest(context)
    (context / "src/new.py").write_text("")
    assert digest(context) != before


def test_digest_changes_with_the_target_of_a_link(context: Path) -> None:
    (context / "link").symlink_to("one")
    before = digest(context)
    (context / "link").unlink()
    (context / "link").symlink_to("two")
    assert digest(context) != before


def test_digest_changes_with_the_base(context: Path) -> None:
    assert digest(context) != digest(context, "sha256:4567")


def test_digest_does_not_depend_on_times(context: Path) -> None:
    before = digest(context)
    for path in context.rglob("*"):
        os.utime(path, (1, 1))
    assert digest(context) == before


def test_digest_does_not_depend_on_the_order_of_the_directory(context: Path, tmp_path: Path) -> None:
    assert digest(make(tmp_path / "other", dict(reversed(CONTENT.items())))) == digest(context)


def test_digest_does_not_depend_on_bits_for_others(context: Path) -> None:
    before = digest(context)
    (context / "src/app.py").chmod(0o600)
    assert digest(context) == before


def test_digest_tells_apart_content_that_moved_between_files(context: Path) -> None:
    before = digest(context)
    (context / "src/app.py").write_text(CONTENT["src/deep/util.py"])
    (context / "src/deep/util.py").write_text(CONTENT["src/app.py"])
    assert digest(context) != before


@pytest.mark.parametrize(
    ("ignore", "name", "sent"),
    [
        pytest.param("*.log", "trace.log", False, id="glob"),
        pytest.param("*.log", "src/trace.log", True, id="glob stops at a slash"),
        pytest.param("**/*.log", "src/deep/trace.log", False, id="glob at any depth"),
        pytest.param("**/__pycache__", "src/__pycache__/app.pyc", False, id="directory at any depth"),
        pytest.param("**/__pycache__", "__pycache__/app.pyc", False, id="directory at any depth, at the root"),
        pytest.param("tests", "tests/test_app.py", False, id="directory"),
        pytest.param("tests/", "tests/test_app.py", False, id="directory with a slash"),
        pytest.param("/tests", "tests/test_app.py", False, id="directory from the root"),
        pytest.param("tests", "src/tests/data.json", True, id="name counts from the root only"),
        pytest.param("tests", "tests.py", True, id="name is the whole name"),
        pytest.param("file.?", "file.a", False, id="one letter"),
        pytest.param("file.[ab]", "file.b", False, id="one of these letters"),
        pytest.param("file.[ab]", "file.c", True, id="none of these letters"),
        pytest.param("a+b", "aab", True, id="a plus sign is a plus sign"),
        pytest.param("# *", "run", True, id="comment"),
        pytest.param("*\n!src", "src/app.py", True, id="taken back in"),
        pytest.param("*\n!src", "src/deep/util.py", True, id="taken back in below"),
        pytest.param("*\n!src", "notes.txt", False, id="only what is taken back in"),
        pytest.param("*\n!src/deep", "src/app.py", False, id="beside what is taken back in"),
        pytest.param("*\n!src/deep", "src/deep/util.py", True, id="taken back in below an excluded directory"),
        pytest.param("*\n!src\n**/__pycache__", "src/__pycache__/app.pyc", False, id="the last line decides"),
        pytest.param("*", "Dockerfile", True, id="Dockerfile is always sent"),
    ],
)
def test_ignored_file_does_not_count(context: Path, ignore: str, name: str, sent: bool) -> None:
    (context / ".dockerignore").write_text(f"{ignore}\n")
    make(context, {name: "before\n"})
    before = digest(context)
    make(context, {name: "after\n"})
    assert (digest(context) != before) is sent


@pytest.mark.parametrize(("context_name", "needed"), [
    ("api", {"Dockerfile", "requirements.txt", "bin/enlevohub-api", "src/enlevohub_api/migrations/0001_core.sql"}),
    ("frontend", {"Dockerfile", "package-lock.json", "nginx/nginx.conf", "src/main.tsx", "index.html"}),
])  # fmt: skip
def test_image_of_this_project_is_named_by_its_sources(context_name: str, needed: set[str]) -> None:
    assert needed <= set(container_build.context_files(str(ROOT / "files" / context_name)))


@pytest.mark.parametrize("context_name", ["api", "frontend"])
def test_image_of_this_project_is_not_named_by_what_tools_leave_behind(context_name: str) -> None:
    files = container_build.context_files(str(ROOT / "files" / context_name))
    assert [name for name in files if "__pycache__" in name or "node_modules" in name or name.startswith("dist/")] == []
