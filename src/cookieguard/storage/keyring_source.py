"""Where the keyring comes from: the environment, a file, or made once beside the state directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cookieguard.config import Config, KeySettings
from cookieguard.config.loading.trial import NEVER_SET
from cookieguard.config.mail import STOP_LIFE
from cookieguard.config.shop_cookies import LONGEST_UNBOUND
from cookieguard.errors import ConfigError
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_file import WatchedKeyring, read_keyring
from cookieguard.storage.state_directory import StateDirectory

KEYRING_FILE = "keyring"
# The first line of a keyring that was made here. The owner who takes it over on purpose removes the line.
GENERATED = b"# made by cookieguard at its first start\n"
SEALED = "subjects.db"  # only a worker with a keyring makes it
PRODUCTION = "COOKIEGUARD_ENV"
WITH_KEYRING = "one with its keyring, from a backup; if that is lost: a new one, by `cookieguard keys add`"
# A consent cookie that ends with the browser (`max_age` 0) still counts this long in one left open.
UNTOLD_LIFE = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyringPlace:
    """Say where a keyring is: the setting that decides, and the file, or the variable where there is none."""

    setting: str
    path: Path | None = None
    variable: str = ""


def place_of(state_dir: Path, settings: KeySettings, *, environ: Mapping[str, str]) -> KeyringPlace:
    """Find where the keyring is; the first of environment variable, `keys.file` and default place decides."""
    if settings.environment in environ:
        name = settings.environment
        return KeyringPlace(setting=f"keys.environment ({name})", variable=name)
    if settings.file:
        return KeyringPlace(setting="keys.file", path=Path(settings.file))
    inside, outside = state_dir / KEYRING_FILE, beside(state_dir)
    # A container that is created again loses what is beside its volume.
    has_room = os.access(state_dir.parent, os.W_OK) and not os.path.ismount(state_dir)
    is_inside = os.path.lexists(inside) or not (has_room or outside.parent.is_dir())
    path = inside if is_inside and not os.path.lexists(outside) else outside
    return KeyringPlace(setting="state_dir", path=path)


def beside(state_dir: Path) -> Path:
    """Return the default place, outside of the state directory, so that a copy of that directory opens nothing."""
    return state_dir.with_name(f"{state_dir.name}-keys") / KEYRING_FILE


def load_keyring(
    state: StateDirectory, settings: KeySettings, *, environ: Mapping[str, str], now: datetime | None = None
) -> Keyring:
    """Load the keyring from its place; one in a file follows the file while the shop runs.

    Only in its default place is one made, once for all workers, at the shop's start: not without `now`, where
    `keys.generate` is false or COOKIEGUARD_ENV is `production`, nor where the consent log needs one that is missing.
    Raises a ConfigError naming the setting, never showing a key.
    """
    is_used = (state.path / SEALED).exists()  # first, because another worker may make both meanwhile
    place = place_of(state.path, settings, environ=environ)
    if place.path is None:
        return Keyring.loads(environ[place.variable], setting=place.setting)
    if settings.file:
        return WatchedKeyring(place.path, place.setting)
    is_there = os.path.lexists(place.path)
    if not is_there or _is_generated(place.path):
        _require_permission(settings, environ, place.path, is_there=is_there)
    if not is_there:
        if now is None or is_used:
            was = f"{state.path} (no keyring is in it or in {place.path.parent})"
            raise ConfigError("state_dir", was=was, allowed=WITH_KEYRING)
        make_keyring(place.path, now, mark=GENERATED)
    return WatchedKeyring(place.path, place.setting)


def find_keyring(state_dir: Path, settings: KeySettings, *, environ: Mapping[str, str]) -> Keyring:
    """Return a shop's keyring as it is now; raises ConfigError."""
    return read_place(place_of(state_dir, settings, environ=environ), environ=environ)


def read_place(place: KeyringPlace, *, environ: Mapping[str, str]) -> Keyring:
    """Return the keyring of a place as it is now; raises ConfigError."""
    text = environ[place.variable] if place.path is None else read_keyring(place.path, place.setting)[0]
    return Keyring.loads(text, setting=place.setting)


def longest_life(config: Config) -> timedelta:
    """Return how long anything that a key of ours signed counts at most."""
    cookies = config.cookies
    bound = (cookies.session, cookies.cart)
    unbound = [LONGEST_UNBOUND for one in cookies.sign if not one.is_bound]
    unbound += [timedelta(seconds=spec.max_age) for spec in cookies.specs if spec not in bound]
    stops = [STOP_LIFE] if config.mail.lists else []
    return max(
        *unbound,
        *stops,
        timedelta(days=config.identity.absolute_days),  # sessions, and carts with them
        timedelta(seconds=cookies.consent.max_age) or UNTOLD_LIFE,
    )


def make_keyring(path: Path, now: datetime, *, mark: bytes = b"") -> None:
    """Make a keyring once for all processes, in a directory of its own; raises ConfigError."""
    directory = StateDirectory(path.parent)
    directory.keep_out_of_repositories()
    try:
        directory.create_once(path.name, lambda: mark + Keyring.generate(now).dumps().encode())
    except OSError as error:
        was = f"{directory.path} (no keyring can be written: {error.strerror})"
        raise ConfigError("state_dir", was=was, allowed="a directory with room for one file") from error


def _is_generated(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        return file.read(len(GENERATED)) == GENERATED
    return False


def _require_permission(
    settings: KeySettings, environ: Mapping[str, str], path: Path, *, is_there: bool
) -> None:
    """Refuse a key that was made here where the owner wants to bring one along; a trial's goes away with it."""
    if settings.environment == NEVER_SET:
        return
    what = f"with a generated keyring ({path})" if is_there else "without a keyring"
    allowed = f"a keyring of your own in {settings.environment}, keys.file or {path}"
    keeping = "to keep this one, remove its first line"
    allowed += f" ({keeping if is_there else '`cookieguard keys add` makes it'})"
    if not settings.generate:
        raise ConfigError("keys.generate", was=f"false {what}", allowed=allowed)
    if environ.get(PRODUCTION) == "production":
        raise ConfigError("keys.generate", was=f"true {what} under {PRODUCTION}=production", allowed=allowed)
