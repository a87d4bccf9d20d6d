"""The options that commands share, and the functions that read the shop's configuration and keyring from them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cookieguard.config import Config, load_config
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.outbox.outbox import Outbox, OutboxDown, outbox_opener
from cookieguard.features.rights.queue import QueueDown
from cookieguard.keyring import Keyring
from cookieguard.storage import keyring_source
from cookieguard.storage.keyring_source import KeyringPlace, place_of
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store, StoreDown

CONFIG_FILE = "cookieguard.toml"

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help=f"The shop's TOML file. Default: ./{CONFIG_FILE} if it exists, otherwise the default settings.",
    ),
]
KeyringOption = Annotated[
    Path | None, typer.Option("--keyring", help="A keyring file to use instead of the configured one.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, including errors.")]


def shop_config(path: Path | None) -> Config:
    """Return the shop's configuration, or the default settings if there is no file."""
    file = config_file(path)
    return Config() if file is None else load_config(file)


def config_file(path: Path | None) -> Path | None:
    """Return the configuration file: the one given, the one in this folder, or None."""
    default = Path(CONFIG_FILE)
    return path or (default if default.exists() else None)


def require_state(state: Path) -> None:
    """Require the state directory to exist: a new one, made in the wrong folder, would never be read by the shop."""
    if not os.path.lexists(state):
        allowed = "that of a shop that has started once: run this in its folder, or set an absolute state_dir"
        raise ConfigError("state_dir", was=f"{state} (no such directory)", allowed=allowed)


def keyring_place(shop: Config, keyring: Path | None) -> KeyringPlace:
    """Return where the keyring is: the file given, or otherwise the shop's own place."""
    if keyring is not None:
        return KeyringPlace(setting="--keyring", path=keyring.absolute())
    return place_of(Path(shop.state_dir).absolute(), shop.keys, environ=os.environ)


def name_of(place: KeyringPlace) -> str:
    """Describe in words where a keyring is."""
    return str(place.path.absolute()) if place.path is not None else f"environment variable {place.variable}"


def read_place(place: KeyringPlace) -> Keyring:
    """Read the keyring; raises ConfigError."""
    if place.path is not None and not os.path.lexists(place.path):
        raise no_keyring(place)
    return keyring_source.read_place(place, environ=os.environ)


def keyring_of(shop: Config, keyring: Path | None) -> Keyring:
    """Read the keyring from the file given, or otherwise from the shop's own place; raises ConfigError."""
    return read_place(keyring_place(shop, keyring))


def shop_of(config: Path | None, keyring: Path | None) -> Shop:
    """Return the shop as it is now: its configuration, and its keyring, which is read at once. Raises ConfigError."""
    shop = shop_config(config)
    ring = keyring_of(shop, keyring)
    return Shop(config=shop, environ=os.environ, now=datetime.now(UTC), given=ring)


@contextmanager
def open_store(shop: Shop) -> Iterator[Store]:
    """Open the shop's store for this block; raises ConfigError if it does not answer."""
    state = StateDirectory(shop.state).path
    opened = store_opener(shop.config, state, environ=shop.environ, keyring=shop.given)
    with store_answers(), closing(opened()) as store:
        yield store


@contextmanager
def open_outbox(shop: Shop) -> Iterator[Outbox]:
    """Open the shop's outbox for this block; raises ConfigError if it does not answer."""
    opened = outbox_opener(shop.config.store, StateDirectory(shop.state).path, environ=shop.environ)
    with store_answers(), closing(opened()) as outbox:
        yield outbox


@contextmanager
def store_answers() -> Iterator[None]:
    """Raise ConfigError if the store, or the queue or outbox in it, fails to answer within this block."""
    try:
        yield
    except (OutboxDown, QueueDown, StoreDown) as error:
        was = f"of a store that does not answer ({error})"
        raise ConfigError("store.url", was=was, allowed="one that answers") from error


def require_subject(setting: str, subject: str) -> None:
    """Require the kind of a subject before its name: a bare number matches no records, yet would look like success."""
    if subject and not all(subject.partition(":")):
        allowed = "with its kind: customer:NUMBER, browser:ID, named:NAME, or as the other tool named it"
        raise ConfigError(setting, was=repr(subject[:80]), allowed=allowed)


def no_keyring(place: KeyringPlace) -> ConfigError:
    """Return the error that the keyring does not exist, with the ways to create it."""
    allowed = "a keyring, which `cookieguard keys add` or the shop's first start creates"
    return ConfigError(place.setting, was=f"{place.path} (no such file)", allowed=allowed)


def read_pairs(
    option: str, text: str, *, names: Collection[str] = (), values: Collection[str] = ()
) -> dict[str, str]:
    """Return the pairs of NAME=VALUE,...; raises ConfigError for a name or a value that is not among those allowed."""
    found: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        name, _, value = (part.strip() for part in pair.partition("="))
        if not (name and value) or (names and name not in names) or (values and value not in values):
            form = "FIELD=COLUMN,... with a FIELD" if names else "THEIRS=PURPOSE,... with a PURPOSE"
            allowed = f"{form} of {', '.join(names or values)}"
            raise ConfigError(option, was=repr(pair), allowed=allowed)
        found[name] = value
    return found
