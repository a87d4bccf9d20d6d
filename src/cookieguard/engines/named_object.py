"""Import an object of the shop that a setting names as `module:name`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from cookieguard.errors import ConfigError


def load_named(setting: str, value: str, *, allowed: str) -> Any:
    """Return the object that `value` names, from the working directory or an installed package; raises ConfigError."""
    module, _, name = value.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(setting, was=f"{value} ({error})", allowed=allowed) from error
    except Exception as error:  # the shop's own module may raise any type, with a password in its message
        was = f"{value}, whose module raised {type(error).__name__}"
        raise ConfigError(setting, was=was, allowed=allowed) from error
    return found
