"""Finds and loads the keyring: from the environment, from a file, or from one made at the shop's first start."""

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
# The first line of a generated keyring. Owners remove it to keep that keyring in production.
GENERATED = b"# made by cookieguard at its first start\n"
SEALED = "subjects.db"  # if this file exists, the shop has had a keyring
PRODUCTION = "COOKIEGUARD_ENV"
WITH_KEYRING = "one with its keyring, from a backup; if that is lost: a new one, by `cookieguard keys add`"
# A consent cookie without Max-Age (`max_age` 0) is valid this long in a browser that is not closed.
UNTOLD_LIFE = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyringPlace:
    """The place of a keyring: the setting that decides it, and the file or else the environment variable."""

    setting: str
    path: Path | None = None
    variable: str = ""


def place_of(state_dir: Path, settings: KeySettings, *, environ: Mapping[str, str]) -> KeyringPlace:
    """Return the place of the keyring: the environment variable, or `keys.file`, or the default place."""
    if settings.environment in environ:
        name = settings.environment
        return KeyringPlace(setting=f"keys.environment ({name})", variable=name)
    if settings.file:
        return KeyringPlace(setting="keys.file", path=Path(settings.file))
    inside, outside = state_dir / KEYRING_FILE, beside(state_dir)
    # If the state directory is a volume, files next to it are lost when the container is created again.
    has_room = os.access(state_dir.parent, os.W_OK) and not os.path.ismount(state_dir)
    is_inside = os.path.lexists(inside) or not (has_room or outside.parent.is_dir())
    path = inside if is_inside and not os.path.lexists(outside) else outside
    return KeyringPlace(setting="state_dir", path=path)


def beside(state_dir: Path) -> Path:
    """Return the default place, outside the state directory, so that a copy of that directory contains no keys."""
    return state_dir.with_name(f"{state_dir.name}-keys") / KEYRING_FILE


def load_keyring(
    state: StateDirectory, settings: KeySettings, *, environ: Mapping[str, str], now: datetime | None = None
) -> Keyring:
    """Return the keyring from its place. A keyring in a file follows changes of the file while the shop runs.

    A missing keyring is generated only in the default place, and only with `now`, which the start of the shop passes.
    It is not generated if `keys.generate` is false, COOKIEGUARD_ENV is `production`, or the shop had a keyring before.
    Raises a ConfigError that names the setting and never shows a key.
    """
    is_used = (state.path / SEALED).exists()  # checked first, as another worker may create both meanwhile
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
    """Return a shop's keyring as it is now, without following changes; raises ConfigError."""
    return read_place(place_of(state_dir, settings, environ=environ), environ=environ)


def read_place(place: KeyringPlace, *, environ: Mapping[str, str]) -> Keyring:
    """Return the keyring of a place as it is now, without following changes; raises ConfigError."""
    text = environ[place.variable] if place.path is None else read_keyring(place.path, place.setting)[0]
    return Keyring.loads(text, setting=place.setting)


def longest_life(config: Config) -> timedelta:
    """Return the longest time for which anything signed with a key is valid."""
    cookies = config.cookies
    bound = (cookies.session, cookies.cart)
    unbound = [LONGEST_UNBOUND for signed in cookies.sign if not signed.is_bound]
    unbound += [timedelta(seconds=spec.max_age) for spec in cookies.specs if spec not in bound]
    stops = [STOP_LIFE] if config.mail.lists else []
    return max(
        *unbound,
        *stops,
        timedelta(days=config.identity.absolute_days),  # sessions, and carts with them
        timedelta(seconds=cookies.consent.max_age) or UNTOLD_LIFE,
    )


def make_keyring(path: Path, now: datetime, *, mark: bytes = b"") -> None:
    """Create a keyring in its own directory, once for all processes; raises ConfigError."""
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
    """Raise ConfigError for a generated keyring if the shop has to bring its own; trials may always generate one."""
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
