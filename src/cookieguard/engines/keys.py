"""Where the keyring comes from: the environment, a file, or made once in the state directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cookieguard.config import KeySettings
from cookieguard.engines.files import StateDirectory
from cookieguard.errors import ConfigError
from cookieguard.keyring import Keyring

KEYRING_FILE = "keyring"
# The first line of a keyring that was made here. The owner who takes it over on purpose removes the line.
GENERATED = b"# made by cookieguard at its first start\n"
PRODUCTION = "COOKIEGUARD_ENV"

# A keyring holds a few lines; more is some other file.
MAX_KEYRING_BYTES = 256 * 1024


def load_keyring(
    state: StateDirectory, settings: KeySettings, *, environ: Mapping[str, str], now: datetime
) -> Keyring:
    """Load the keyring; the first of environment variable, `keys.file` and state directory decides.

    Only in the state directory is one made, once for all workers, and not where `keys.generate` is false or
    COOKIEGUARD_ENV is `production`. Raises a ConfigError naming the setting, never showing a key.
    """
    if settings.environment in environ:
        return Keyring.loads(
            environ[settings.environment], setting=f"keys.environment ({settings.environment})"
        )
    if settings.file:
        return _read(Path(settings.file), "keys.file")
    path = state.path / KEYRING_FILE
    is_there = os.path.lexists(path)
    if not is_there or state.read(KEYRING_FILE, limit=len(GENERATED)) == GENERATED:
        _require_permission(settings, environ, path, is_there=is_there)
    if not is_there:
        _make(state, now)
    return _read(path, "state_dir")


def _make(state: StateDirectory, now: datetime) -> None:
    try:
        state.create_once(KEYRING_FILE, lambda: GENERATED + Keyring.generate(now).dumps().encode())
    except OSError as error:
        was = f"{state.path} (no keyring can be written: {error.strerror})"
        raise ConfigError("state_dir", was=was, allowed="a directory with room for one file") from error


def _require_permission(
    settings: KeySettings, environ: Mapping[str, str], path: Path, *, is_there: bool
) -> None:
    """Refuse a key that was made here where the owner wants to bring one along."""
    what = f"a key made by itself ({path})" if is_there else "no keyring"
    allowed = f"a keyring of your own in {settings.environment}, keys.file or {path}"
    if is_there:
        allowed += " (to keep this one, remove its first line)"
    if not settings.generate:
        raise ConfigError("keys.generate", was=f"false with {what}", allowed=allowed)
    if environ.get(PRODUCTION) == "production":
        raise ConfigError(
            "keys.generate", was=f"true with {what} under {PRODUCTION}=production", allowed=allowed
        )


def _read(path: Path, setting: str) -> Keyring:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(MAX_KEYRING_BYTES + 1)
    except OSError as error:
        allowed = "a keyring file this user can read"
        raise ConfigError(setting, was=f"{path} ({error.strerror})", allowed=allowed) from error
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise ConfigError(
            setting, was=f"{path}, open to others (mode {mode:04o}),", allowed=f"mode 0600: chmod 600 {path}"
        )
    if len(content) > MAX_KEYRING_BYTES:
        raise ConfigError(setting, was=f"{path}, over {MAX_KEYRING_BYTES} bytes,", allowed="a keyring")
    try:
        text = content.decode()
    except UnicodeDecodeError:  # from None: that error holds the content
        raise ConfigError(setting, was=f"{path}, not text,", allowed="a keyring") from None
    return Keyring.loads(text, setting=setting)
