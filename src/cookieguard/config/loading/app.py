"""Import the app that a command names as `module:app`, and say in one line why it cannot be had."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from cookieguard.errors import ConfigError, CookieGuardError

MOST_NAMED = 5


def load_app(target: str) -> Any:
    """Import `module:app`, or what `module:make()` returns, from this folder or what is installed.

    Raises ConfigError, or what cookieguard itself says of the shop's configuration.
    """
    module, _, name = target.partition(":")
    if not (module and name):
        raise ConfigError("app", was=repr(target), allowed="module:app, such as shop:app")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.removesuffix("()").split("."):
            if not hasattr(found, part):
                raise _without(target, part, found)
            found = getattr(found, part)
        return found() if name.endswith("()") else found
    except CookieGuardError:
        raise
    except ModuleNotFoundError as error:
        raise _not_found(target, module, error) from error
    except (Exception, SystemExit) as error:
        # A shop's own module may raise anything, and may end the process
        was = f"{target} ({reason_of(error)})"
        raise ConfigError("app", was=was, allowed="an app whose module can be imported") from error


def reason_of(error: BaseException) -> str:
    """Return what was raised, and the line of the shop's that did."""
    told = " ".join(str(error).split())
    text = f"{type(error).__name__}: {told}" if told else type(error).__name__
    own = [one for one in extract_tb(error.__traceback__) if _is_shops(one.filename)]
    return f"{text}, in {Path(own[-1].filename).name} line {own[-1].lineno}" if own else text


def _not_found(target: str, module: str, error: ModuleNotFoundError) -> ConfigError:
    missing = error.name or ""
    if not (module == missing or module.startswith(f"{missing}.")):
        return ConfigError(
            "app",
            was=f"{target} ({reason_of(error)})",
            allowed=f"an app whose imports are installed in the environment of this command, {sys.prefix}",
        )
    if module.endswith(".py"):
        allowed = target.replace(".py:", ":", 1).replace("/", ".")
    else:
        files = sorted(one.stem for one in Path.cwd().glob("*.py"))[:MOST_NAMED]
        named = f": {', '.join(files)}" if files else ", which has none"
        allowed = f"a module in this folder{named}{_djangos()}"
    return ConfigError("app", was=f"{target} (no module {module} in {Path.cwd()})", allowed=allowed)


def _without(target: str, part: str, holder: Any) -> ConfigError:
    apps: list[str] = []
    if isinstance(holder, ModuleType):
        apps = [
            name
            for name, one in vars(holder).items()
            if callable(one)
            and not isinstance(one, type)
            and not name.startswith("_")
            and getattr(one, "__module__", "") != "builtins"
            and type(one).__name__ != "function"
        ]
    allowed = "a name in it" + (f", such as {', '.join(apps[:MOST_NAMED])}" if apps else _djangos())
    return ConfigError("app", was=f"{target} (there is no {part} in it)", allowed=allowed)


def _djangos() -> str:
    """Ask about the app that Django's `startproject` writes, where this folder has one."""
    found = sorted(one.parent.name for one in Path.cwd().glob("*/asgi.py"))
    return f"; is it {found[0]}.asgi:application?" if found else ""


def _is_shops(file: str) -> bool:
    return file.startswith(str(Path.cwd())) and "site-packages" not in file
