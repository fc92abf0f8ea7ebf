"""The shape that every role and every playbook has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.playbook.task import Task

from tests.conftest import ROOT, load_yaml

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
TASK_FILES = sorted((ROOT / "roles").glob("*/tasks/*.yml"))
TEMPLATES = sorted(path for path in (ROOT / "roles").glob("*/templates/**/*") if path.is_file())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
PARTS = sorted(
    path
    for part in ("tasks", "templates", "vars", "defaults", "handlers")
    for path in (ROOT / "roles").glob(f"*/{part}/**/*")
    if path.is_file()
)
GROUPS = [name for name in load_yaml(ROOT / "inventories" / "lab" / "hosts.yml") if name != "all"]
TASK_WORDS = set(Task.fattributes) | {"local_action", "block", "rescue", "always"}
TASKS_MAIN_LINES = 60
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<type>\w+) \| (?P<default>.+?) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)


def short(path: Path) -> str:
    """Return the id of a test about a file."""
    return str(path.relative_to(ROOT)).removeprefix("roles/")


def options(role: str) -> dict[str, dict[str, Any]]:
    """Return the options of a role by name."""
    found: dict[str, dict[str, Any]] = load_yaml(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"][
        "main"
    ]["options"]
    return found


def defaults(role: str) -> dict[str, Any]:
    """Return the defaults of a role."""
    return load_yaml(ROOT / "roles" / role / "defaults/main.yml") or {}


@cache
def rows(role: str) -> dict[str, dict[str, str]]:
    """Return the rows of the table of variables in a role's README by name."""
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    return {match["name"]: match.groupdict() for match in ROW.finditer(text)}


def tasks(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every task of a file, those in blocks as well."""
    waiting = list(load_yaml(path) or [])
    while waiting:
        task = waiting.pop(0)
        inner = [item for part in ("block", "rescue", "always") for item in task.get(part, [])]
        waiting = inner + waiting
        if not inner:
            yield task


def roles_of(play: dict[str, Any]) -> list[str]:
    """Return the names of the roles of a play, those that a task imports as well."""
    named = [role if isinstance(role, str) else role["role"] for role in play.get("roles", [])]
    return named + [task["ansible.builtin.import_role"]["name"] for task in play.get("tasks", [])]


TASKS = [
    pytest.param(task, id=f"{short(path)}-{task.get('name', number)}")
    for path in TASK_FILES
    for number, task in enumerate(tasks(path))
]
OPTIONS = [pytest.param(role, name, id=name) for role in ROLES for name in options(role)]
DEFAULTS = [pytest.param(role, name, id=name) for role in ROLES for name in defaults(role)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "part", ["README.md", "defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml"]
)
def test_role_has_every_part_of_the_skeleton(role: str, part: str) -> None:
    assert (ROOT / "roles" / role / part).is_file()


@pytest.mark.parametrize(("role", "name"), DEFAULTS)
def test_default_is_an_option_of_the_role(role: str, name: str) -> None:
    assert name in options(role)


@pytest.mark.parametrize(("role", "name"), OPTIONS)
def test_option_is_required_or_has_a_default(role: str, name: str) -> None:
    assert (name in defaults(role)) != options(role)[name].get("required", False)


@pytest.mark.parametrize(("role", "name"), DEFAULTS)
def test_option_has_the_default_of_the_role(role: str, name: str) -> None:
    stated = options(role)[name].get("default")
    assert (type(stated), stated) == (type(defaults(role)[name]), defaults(role)[name])


@pytest.mark.parametrize(
    ("role", "name"), [case for case in OPTIONS if options(str(case.values[0]))[str(case.values[1])].get("required")]
)
def test_required_option_is_listed_commented_in_the_defaults(role: str, name: str) -> None:
    text = (ROOT / "roles" / role / "defaults/main.yml").read_text(encoding="utf-8")
    assert re.search(rf"^# Required\..*\n(#.*\n)*# {name}:", text, re.MULTILINE)


@pytest.mark.parametrize(("role", "name"), DEFAULTS)
def test_default_has_a_comment_above_it(role: str, name: str) -> None:
    text = (ROOT / "roles" / role / "defaults/main.yml").read_text(encoding="utf-8")
    assert re.search(rf"^#.*\n{name}:", text, re.MULTILINE)


@pytest.mark.parametrize(("role", "name"), OPTIONS)
def test_option_begins_with_the_name_of_its_role(role: str, name: str) -> None:
    assert name.startswith(f"{role}_")


@pytest.mark.parametrize(
    ("role", "name"),
    [case for case in OPTIONS if re.search(r"(password|secret|ca_key|database_url)$", str(case.values[1]))],
)
def test_secret_option_is_kept_out_of_logs(role: str, name: str) -> None:
    assert options(role)[name].get("no_log") is True


@pytest.mark.parametrize("role", [role for role in ROLES if (ROOT / "roles" / role / "vars/main.yml").exists()])
def test_internal_variables_begin_with_underscores_and_the_role(role: str) -> None:
    names = load_yaml(ROOT / "roles" / role / "vars/main.yml")
    assert [name for name in names if not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("path", TASK_FILES, ids=short)
def test_registered_variables_begin_with_underscores_and_the_role(path: Path) -> None:
    role = path.relative_to(ROOT / "roles").parts[0]
    assert [
        task["register"] for task in tasks(path) if not task.get("register", f"__{role}_").startswith(f"__{role}_")
    ] == []


@pytest.mark.parametrize("role", ROLES)
def test_readme_lists_exactly_the_options(role: str) -> None:
    assert list(rows(role)) == list(options(role))


@pytest.mark.parametrize(("role", "name"), OPTIONS)
def test_readme_states_type_and_default_of_the_option(role: str, name: str) -> None:
    row, option = rows(role)[name], options(role)[name]
    stated = "required" if row["default"] == "required" else yaml.safe_load(row["default"].strip("`"))
    if row["default"] == '`""`':
        stated = ""
    assert (row["type"], stated) == (option["type"], "required" if option.get("required") else option["default"])


@pytest.mark.parametrize("role", ROLES)
def test_readme_has_an_example_that_is_yaml_and_uses_the_role(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert any(role in str(yaml.safe_load(block)) for block in blocks)


@pytest.mark.parametrize("role", ROLES)
def test_role_depends_on_no_other_role_silently(role: str) -> None:
    assert load_yaml(ROOT / "roles" / role / "meta/main.yml")["dependencies"] == []


@pytest.mark.parametrize("role", ROLES)
def test_role_is_used(role: str) -> None:
    used = [str(load_yaml(path)) for path in [*PLAYBOOKS, *TASK_FILES] if path.relative_to(ROOT).parts[1] != role]
    assert any(re.search(rf"'{role}'", text) for text in used)


@pytest.mark.parametrize("path", TASK_FILES, ids=short)
def test_task_file_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= TASKS_MAIN_LINES


@pytest.mark.parametrize("task", TASKS)
def test_task_name_is_a_sentence_without_full_stop(task: dict[str, Any]) -> None:
    assert re.fullmatch(r"[A-Z].+[^.]", task.get("name", ""))


@pytest.mark.parametrize("task", TASKS)
def test_task_has_one_module_with_its_full_name(task: dict[str, Any]) -> None:
    modules = [word for word in task if word not in TASK_WORDS and not word.startswith("with_")]
    assert len(modules) == 1
    assert re.fullmatch(r"(ansible\.builtin|enlevohub\.datacenter|f5networks\.f5_modules)\.\w+", modules[0])


@pytest.mark.parametrize("task", TASKS)
def test_task_does_not_ignore_errors(task: dict[str, Any]) -> None:
    assert not {"ignore_errors", "ignore_unreachable"} & set(task)


@pytest.mark.parametrize("task", TASKS)
def test_task_does_not_sleep(task: dict[str, Any]) -> None:
    assert "ansible.builtin.pause" not in task
    given = {key: value for key, value in task.items() if key != "ansible.builtin.wait_for_connection"}  # asks again
    assert not re.search(r"\bsleep\b", str(given))


@pytest.mark.parametrize("path", TASK_FILES, ids=short)
def test_shell_or_command_has_a_comment_that_says_why(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    calls = [
        number for number, line in enumerate(lines) if re.search(r"ansible\.builtin\.(shell|command|raw|script):", line)
    ]
    assert [
        lines[number] for number in calls if not any("# " in line for line in lines[max(0, number - 2) : number])
    ] == []


@pytest.mark.parametrize("path", PARTS, ids=short)
def test_role_guards_none_of_its_own_variables_with_a_default(path: Path) -> None:
    role = path.relative_to(ROOT / "roles").parts[0]
    text = path.read_text(encoding="utf-8")
    assert re.findall(rf"\b(?:__)?{role}_\w+\s*\|\s*(?:default|d)\s*\(", text) == []


@pytest.mark.parametrize("path", PARTS, ids=short)
def test_role_names_no_group_of_the_inventory(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(rf"\bgroups\s*[\[.]|\bgroup_names\b|\b(?:{'|'.join(GROUPS)})\b(?=['\"\]])", text) == []


@pytest.mark.parametrize("path", [path for path in TEMPLATES if ".json" not in path.suffixes], ids=short)
def test_template_begins_with_the_managed_header(path: Path) -> None:
    first, second = [*path.read_text(encoding="utf-8").splitlines(), "", ""][:2]
    assert (second if first.startswith("#!") else first).startswith("{{ ansible_managed | comment")


@pytest.mark.parametrize("path", TEMPLATES, ids=short)
def test_template_is_used_by_its_role(path: Path) -> None:
    role = path.relative_to(ROOT / "roles").parts[0]
    users = [
        file.read_text(encoding="utf-8")
        for part in ("tasks", "vars")
        for file in (ROOT / "roles" / role / part).glob("*.yml")
    ]
    assert any(re.search(rf"(template: |'){re.escape(path.name)}\b", text) for text in users)


PLAYS = [
    pytest.param(play, id=f"{path.name}-{play.get('name', number)}")
    for path in PLAYBOOKS
    for number, play in enumerate(load_yaml(path))
    if "hosts" in play
]


@pytest.mark.parametrize("play", PLAYS)
def test_play_is_hosts_and_roles(play: dict[str, Any]) -> None:
    assert {"pre_tasks", "post_tasks", "handlers", "vars"} & set(play) == set()
    assert [task for task in play.get("tasks", []) if set(task) != {"name", "ansible.builtin.import_role"}] == []
    assert roles_of(play)


@pytest.mark.parametrize("play", PLAYS)
def test_play_stops_at_the_first_host_that_fails(play: dict[str, Any]) -> None:
    assert play["any_errors_fatal"] is True


@pytest.mark.parametrize("play", PLAYS)
def test_play_names_roles_that_exist(play: dict[str, Any]) -> None:
    assert sorted(set(roles_of(play)) - set(ROLES)) == []


@pytest.mark.parametrize("play", PLAYS)
def test_play_gives_values_that_the_role_knows(play: dict[str, Any]) -> None:
    given = [(role["role"], key, value) for role in play.get("roles", []) if isinstance(role, dict)
             for key, value in role.items() if key.startswith(role["role"])]  # fmt: skip
    assert [
        (key, value)
        for role, key, value in given
        if key not in options(role) or value not in options(role)[key].get("choices", [value])
    ] == []


def test_site_only_imports() -> None:
    assert [
        set(play) - {"name", "ansible.builtin.import_playbook", "tags"}
        for play in load_yaml(ROOT / "playbooks/site.yml")
    ] == [set() for _ in load_yaml(ROOT / "playbooks/site.yml")]


@pytest.mark.parametrize(
    "play", [pytest.param(play, id=play["name"]) for play in load_yaml(ROOT / "playbooks/site.yml")]
)
def test_site_imports_a_playbook_that_exists(play: dict[str, str]) -> None:
    assert (ROOT / "playbooks" / play["ansible.builtin.import_playbook"]).is_file()
