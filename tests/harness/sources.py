"""The Python source of a module that is also compiled, in either build."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import cookieguard


@cache
def source_of(module: ModuleType) -> Any:
    """Load the Python source of a module, whichever build runs."""
    _, *folders, name = module.__name__.split(".")
    path = Path(str(cookieguard.__file__)).parent.joinpath(*folders, f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"pure_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
