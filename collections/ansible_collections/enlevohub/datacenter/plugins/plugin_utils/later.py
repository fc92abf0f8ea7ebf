"""Import a module at the first call of one of its functions."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def later(module: str, name: str) -> Callable[..., Any]:
    """Return a function of a module of ``plugin_utils`` that is imported when it is called.

    Every worker that uses one filter of a collection compiles all its files of filters, with all that they import: what
    few tasks need must not cost the time of all.

    Args:
        module: name of the module.
        name: name of the function.
    """

    def call(*arguments: Any, **named: Any) -> Any:
        found = importlib.import_module(f"ansible_collections.enlevohub.datacenter.plugins.plugin_utils.{module}")
        return getattr(found, name)(*arguments, **named)

    call.__name__ = name
    return call
