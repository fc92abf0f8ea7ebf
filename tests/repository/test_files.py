"""What must never be in the repository, and what must be."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENTS, ROOT

# Each is written in two pieces, so that this list does not find itself.
INDEXES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "deb.debian" + ".org",
    "security.debian" + ".org",
    "archive.ubuntu" + ".com",
    "docker" + ".io/",
    "ghcr" + ".io",
    "quay" + ".io",
    "galaxy.ansible" + ".com",
    "download.docker" + ".com",
    "apt.postgresql" + ".org/",
]
# Where a vendor publishes its own packages is the default of an option, and nowhere else.
VENDOR_REPOSITORIES = {"docker": "download.docker" + ".com", "patroni": "apt.postgresql" + ".org/"}
OPTION_FILES = ("defaults/main.yml", "meta/argument_specs.yml", "README.md")
FORBIDDEN = ["anthro" + "pic", "cla" + "ude", "chat" + "gpt", "open" + "ai", "co" + "pilot"]
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:work|root|home)/")


def git(*arguments: str) -> str:
    """Return what git says about the repository."""
    command = ["git", "-c", "core.quotepath=off", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout


def is_ignored(path: str) -> bool:
    """Whether git would leave a path alone."""
    return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, timeout=30, check=False).returncode == 0


# New files count before they are added; removed ones are gone before the removal is added.
FILES = [
    name
    for name in git("ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    if (ROOT / name).is_file() and not (ROOT / name).is_symlink()
]


def text_of(name: str) -> str | None:
    """Return the text of a file; None when it is not text."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


TEXTS = {name: text for name in FILES if (text := text_of(name)) is not None}
MARKDOWN = [name for name in TEXTS if name.endswith(".md")]
LOCKED = [
    name for name in TEXTS if re.search(r"(requirements[^/]*|requirements/[^/]+|files/frontend/node)\.txt$", name)
]
TEST_FILES = [name for name in TEXTS if re.search(r"(^|/)test_[^/]+\.py$", name)]
TEST_DIRECTORIES = sorted(
    {
        str(Path(name).parent)
        for name in TEXTS
        if name.endswith(".py") and re.match(r"(tests|files/api/tests|molecule/default)/.+/", name)
    }
)


def found_tests(name: str) -> list[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse(TEXTS[name])
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in ast.walk(tree) if isinstance(node, functions) and node.name.startswith("test_")]


def heading_anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a Markdown text."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(name: str) -> list[str]:
    """Return the targets of the links of a Markdown file, without code blocks."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", TEXTS[name], flags=re.DOTALL)
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)


def test_files_were_found() -> None:
    assert {"README.md", "ansible.cfg", "tests/conftest.py"} <= set(TEXTS)


@pytest.mark.parametrize("host", INDEXES)
def test_no_file_names_the_package_index(host: str) -> None:
    allowed = {
        f"roles/{role}/{part}" for role, own in VENDOR_REPOSITORIES.items() for part in OPTION_FILES if own == host
    }
    assert [name for name, text in TEXTS.items() if host in text and name not in allowed] == []


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_file_has_the_word(word: str) -> None:
    assert [name for name, text in TEXTS.items() if re.search(rf"\b{word}\b", text, re.IGNORECASE)] == []


def test_no_file_has_a_path_of_one_machine() -> None:
    assert [name for name, text in TEXTS.items() if MACHINE_PATH.search(text)] == []


def test_no_file_has_a_private_key() -> None:
    key = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}")
    assert [name for name, text in TEXTS.items() if key.search(text)] == []


def test_committed_vaults_are_encrypted() -> None:
    vaults = [name for name in TEXTS if Path(name).name == "vault.yml"]
    assert [name for name in vaults if not TEXTS[name].startswith("$ANSIBLE_VAULT;")] == []


@pytest.mark.parametrize(
    "path",
    [
        *(f"group_vars/{name}/vault.yml" for name in ENVIRONMENTS if name.startswith(("lab", "molecule"))),
        ".lab/lab/id_ed25519",
        ".lab/molecule/known_hosts",
        ".vault/datacenter",
        ".venv/bin/python",
        "build/images/lock",
        "collections/ansible_collections/community/general/README.md",
        "files/frontend/node_modules/vite/package.json",
        "files/frontend/dist/index.html",
        "bench/node_modules/fastify/package.json",
        "bench/generated/client.ts",
        "src/enlevohub_lab/__pycache__/site.cpython-311.pyc",
        ".mypy_cache/x",
        ".ruff_cache/x",
        ".pytest_cache/x",
    ],
)
def test_path_is_ignored(path: str) -> None:
    assert is_ignored(path)


@pytest.mark.parametrize(
    "path",
    [
        "collections/ansible_collections/enlevohub/datacenter/plugins/modules/new.py",
        "inventories/datacenter/hosts.yml",
        "group_vars/lab/main.yml",
        "files/frontend/package-lock.json",
        "bench/package-lock.json",
    ],
)
def test_path_is_not_ignored(path: str) -> None:
    assert not is_ignored(path)


def test_no_file_is_both_committed_and_ignored() -> None:
    assert git("ls-files", "--cached", "--ignored", "--exclude-standard").splitlines() == []


@pytest.mark.parametrize("name", LOCKED)
def test_locked_requirement_has_a_version_and_a_hash(name: str) -> None:
    lines = re.sub(r"\\\n", " ", TEXTS[name]).splitlines()
    entries = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert entries
    assert [line for line in entries if not re.match(r"[\w.\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("name", LOCKED)
def test_locked_requirements_name_no_address(name: str) -> None:
    assert re.findall(r"\S*://\S*|--(?:extra-)?index-url|--find-links", TEXTS[name]) == []


@pytest.mark.parametrize("name", [name for name in TEXTS if Path(name).name == "package-lock.json"])
def test_package_lock_names_no_address(name: str) -> None:
    packages = json.loads(TEXTS[name])["packages"]
    assert [path for path, package in packages.items() if "resolved" in package] == []


@pytest.mark.parametrize("name", [name for name in TEXTS if Path(name).name == "package-lock.json"])
def test_package_lock_has_a_hash_for_every_package(name: str) -> None:
    packages = json.loads(TEXTS[name])["packages"]
    assert [path for path, package in packages.items() if path and "integrity" not in package] == []


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_of_the_document_lead_somewhere(name: str) -> None:
    lost = []
    for target in links(name):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists() or (anchor and anchor not in heading_anchors(file.read_text(encoding="utf-8"))):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("name", MARKDOWN)
def test_document_begins_with_its_title(name: str) -> None:
    assert TEXTS[name].startswith("# ")


@pytest.mark.parametrize("directory", TEST_DIRECTORIES)
def test_directory_of_tests_has_a_test(directory: str) -> None:
    assert [test for name in TEST_FILES if str(Path(name).parent) == directory for test in found_tests(name)]


@pytest.mark.parametrize("name", TEST_FILES)
def test_file_of_tests_has_a_test(name: str) -> None:
    assert found_tests(name)


@pytest.mark.parametrize("name", TEST_FILES)
def test_no_test_is_skipped_or_expected_to_fail(name: str) -> None:
    mark = re.compile(r"pytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b(?=[(\n])")
    assert mark.findall(TEXTS[name]) == []


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".sh") or name == ".ci/run"])
def test_script_can_be_run(name: str) -> None:
    assert TEXTS[name].startswith("#!/")
    assert (ROOT / name).stat().st_mode & 0o111 == 0o111
