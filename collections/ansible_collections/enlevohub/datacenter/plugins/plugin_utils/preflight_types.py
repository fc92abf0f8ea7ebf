"""Compare a value with the specification of an option. Stricter than Ansible: nothing is converted silently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Problem = tuple[str, str, str]  # path inside the value, problem, fix

NAMES = {
    "str": "text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}
FIXES = {
    "str": "put the value in quotes",
    "path": "put the path in quotes",
    "int": "write a whole number without quotes",
    "float": "write a number without quotes",
    "bool": "write true or false without quotes",
    "list": "write a list: [a, b]",
    "dict": "write a mapping: {name: value}",
}


def kind(value: Any) -> str:
    """Return the type of a value by the name that specifications use; ``none`` for an empty value."""
    if value is None:
        return "none"
    for name, types in (
        ("bool", bool),
        ("int", int),
        ("float", float),
        ("str", str),
        ("list", (list, tuple)),
        ("dict", dict),
    ):
        if isinstance(value, types):
            return name
    return "other"


def fits(value: Any, wanted: str) -> bool:
    """Return whether a value has a type."""
    if wanted not in NAMES:
        return True
    found = kind(value)
    return found == wanted or (wanted, found) in (("path", "str"), ("float", "int"))


def compare(value: Any, spec: dict[str, Any], path: str = "") -> Iterator[Problem]:
    """Yield what is wrong with a value; values themselves are not shown.

    Args:
        value: resolved value.
        spec: option of an argument_specs.yml.
        path: where the value stands inside the variable.
    """
    wanted = spec.get("type", "str")
    if not fits(value, wanted):
        found = kind(value)
        what = "is empty" if found == "none" else f"is {_name(found)}"
        yield path, f"{what}, {NAMES[wanted]} is wanted", FIXES[wanted]
        return
    choices = spec.get("choices")
    if choices and value not in choices:
        yield path, "is not one of the choices", f"use one of: {', '.join(str(choice) for choice in choices)}"
    if kind(value) == "list" and (spec.get("elements") or spec.get("options")):
        element = {"type": spec.get("elements", "dict"), "options": spec.get("options")}
        for index, item in enumerate(value):
            yield from compare(item, element, f"{path}[{index}]")
    elif kind(value) == "dict" and spec.get("options"):
        for name in value:
            if name not in spec["options"]:
                yield f"{path}.{name}", "is not an option", f"use: {', '.join(spec['options'])}"
        for name, option in spec["options"].items():
            if name in value:
                yield from compare(value[name], option, f"{path}.{name}")
            elif option.get("required"):
                yield f"{path}.{name}", "is missing", f"add {name}"


def _name(found: str) -> str:
    return {**NAMES, "other": "something else"}[found]
