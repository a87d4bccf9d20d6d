"""Import the app that a command names as `module:app`; if that fails, the error says why in one line."""

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
    """Return `module:app`, or the result of `module:make()`, from this folder or an installed package.

    Raises ConfigError, or the error that cookieguard raises for the shop's configuration.
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
        # The shop's own module may raise any exception, or call sys.exit
        was = f"{target} ({reason_of(error)})"
        raise ConfigError("app", was=was, allowed="an app whose module can be imported") from error


def reason_of(error: BaseException) -> str:
    """Return an exception's type and message, with the last line of the shop's code in its traceback."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    here = [frame for frame in extract_tb(error.__traceback__) if frame.filename.startswith(str(Path.cwd()))]
    own = [frame for frame in here if "site-packages" not in frame.filename]
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
        files = sorted(file.stem for file in Path.cwd().glob("*.py"))[:MOST_NAMED]
        named = f": {', '.join(files)}" if files else ", which has none"
        allowed = f"a module in this folder{named}{_djangos()}"
    return ConfigError("app", was=f"{target} (no module {module} in {Path.cwd()})", allowed=allowed)


def _without(target: str, part: str, holder: Any) -> ConfigError:
    apps: list[str] = []
    if isinstance(holder, ModuleType):
        apps = [
            name
            for name, value in vars(holder).items()
            if callable(value)
            and not isinstance(value, type)
            and not name.startswith("_")
            and getattr(value, "__module__", "") != "builtins"
            and type(value).__name__ != "function"
        ]
    allowed = "a name in it" + (f", such as {', '.join(apps[:MOST_NAMED])}" if apps else _djangos())
    return ConfigError("app", was=f"{target} (there is no {part} in it)", allowed=allowed)


def _djangos() -> str:
    """Return a question that names the app from Django's `startproject`, or "" if this folder has none."""
    found = sorted(file.parent.name for file in Path.cwd().glob("*/asgi.py"))
    return f"; is it {found[0]}.asgi:application?" if found else ""
