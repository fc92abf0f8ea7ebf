"""The documentation of every module says what the module takes."""

from __future__ import annotations

import importlib
from typing import Any, NoReturn

import pytest
import yaml

from tests.conftest import ROOT

PLUGINS = "ansible_collections.enlevohub.datacenter.plugins"
DIRECTORY = ROOT / "collections" / PLUGINS.replace(".", "/")
MODULES = sorted(path.stem for path in (DIRECTORY / "modules").glob("*.py"))
ACTIONS = sorted(path.stem for path in (DIRECTORY / "action").glob("*.py"))
FILTERS = sorted(path.stem for path in (DIRECTORY / "filter").glob("*.py"))


class AskedError(Exception):
    """Carries what a module gave to AnsibleModule."""


def documentation(name: str) -> dict[str, Any]:
    """Return DOCUMENTATION of a module, with the options of the fragment that it extends."""
    found: dict[str, Any] = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{name}").DOCUMENTATION)
    fragment = found.get("extends_documentation_fragment", "").rpartition(".")[2]
    if fragment:
        shared = importlib.import_module(f"{PLUGINS}.doc_fragments.{fragment}").ModuleDocFragment.DOCUMENTATION
        found["options"] = {**yaml.safe_load(shared)["options"], **found["options"]}
    return found


def taken(name: str) -> dict[str, Any]:
    """Return what the main function of a module gives to AnsibleModule."""
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")

    def ask(**given: Any) -> NoReturn:
        raise AskedError(given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AnsibleModule", ask)
        with pytest.raises(AskedError) as asked:
            module.main()
    found: dict[str, Any] = asked.value.args[0]
    return found


def flat(options: dict[str, Any], inner: str, prefix: str = "") -> dict[str, tuple[Any, ...]]:
    """Return (type, required, default, elements, choices) of each option by its path."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, option in options.items():
        found[prefix + name] = (
            option.get("type", "str"),
            option.get("required", False),
            option.get("default"),
            option.get("elements"),
            option.get("choices"),
        )
        found.update(flat(option.get(inner) or {}, inner, f"{prefix}{name}."))
    return found


def action_only(options: dict[str, Any]) -> set[str]:
    """Return the options that the action takes out before the module runs."""
    return {name for name, option in options.items() if "(action only" in str(option["description"])}


@pytest.mark.parametrize("name", MODULES)
def test_documentation_has_the_name_of_the_module(name: str) -> None:
    assert documentation(name)["module"] == name


@pytest.mark.parametrize("name", MODULES)
def test_documentation_has_a_short_description(name: str) -> None:
    assert documentation(name)["short_description"]


@pytest.mark.parametrize("name", MODULES)
def test_documented_options_are_those_that_the_module_takes(name: str) -> None:
    options, spec = documentation(name)["options"], taken(name)["argument_spec"]
    own = {key: option for key, option in options.items() if key in spec or key not in action_only(options)}
    assert flat(own, "suboptions") == flat(spec, "options")


@pytest.mark.parametrize("name", MODULES)
def test_option_for_the_action_belongs_to_a_module_with_an_action(name: str) -> None:
    assert name in ACTIONS or not action_only(documentation(name)["options"])


@pytest.mark.parametrize("name", MODULES)
def test_every_documented_option_says_what_it_is(name: str) -> None:
    assert [key for key, option in documentation(name)["options"].items() if not option.get("description")] == []


@pytest.mark.parametrize("name", MODULES)
def test_module_supports_check_mode(name: str) -> None:
    assert taken(name)["supports_check_mode"] is True


@pytest.mark.parametrize("name", MODULES)
def test_secret_option_of_the_module_is_kept_out_of_logs(name: str) -> None:
    spec = taken(name)["argument_spec"]
    assert [
        key for key, option in spec.items() if key in ("password", "secrets") and option.get("no_log") is not True
    ] == []


@pytest.mark.parametrize("name", MODULES)
def test_example_is_yaml_with_the_module_in_it(name: str) -> None:
    (task,) = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{name}").EXAMPLES)
    assert f"enlevohub.datacenter.{name}" in task


@pytest.mark.parametrize("name", MODULES)
def test_example_gives_every_required_option_and_no_unknown_one(name: str) -> None:
    (task,) = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{name}").EXAMPLES)
    options, given = documentation(name)["options"], set(task[f"enlevohub.datacenter.{name}"])
    assert {key for key, option in options.items() if option.get("required")} <= given <= set(options)


@pytest.mark.parametrize("name", MODULES)
def test_return_values_are_documented(name: str) -> None:
    values = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{name}").RETURN)
    assert values
    assert [key for key, value in values.items() if not {"description", "type", "returned"} <= set(value)] == []


@pytest.mark.parametrize("name", FILTERS)
def test_filter_has_the_name_of_its_function(name: str) -> None:
    filters = importlib.import_module(f"{PLUGINS}.filter.{name}").FilterModule().filters()
    assert {key: function.__name__ for key, function in filters.items()} == {key: key for key in filters}


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_is_used(name: str) -> None:
    filters = importlib.import_module(f"{PLUGINS}.filter.{name}").FilterModule().filters()
    values = [
        path.read_text()
        for part in ("roles", "group_vars", "playbooks")
        for path in (ROOT / part).rglob("*")
        if path.suffix in (".yml", ".j2") and path.name != "vault.yml"
    ]
    assert [key for key in filters if not any(f"enlevohub.datacenter.{key}" in text for text in values)] == []
