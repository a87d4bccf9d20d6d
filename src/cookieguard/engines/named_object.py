"""Load an object of the shop's that a setting names as `module:name`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from cookieguard.errors import ConfigError


def load_named(setting: str, value: str, *, allowed: str) -> Any:
    """Import what `value` names, from the working directory or what is installed; raises ConfigError."""
    module, _, name = value.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(setting, was=f"{value} ({error})", allowed=allowed) from error
    except Exception as error:  # whatever the shop's own module raises; its text may hold a password
        was = f"{value}, whose module raised {type(error).__name__}"
        raise ConfigError(setting, was=was, allowed=allowed) from error
    return found
