"""`cookieguard keys`: list, add, promote and retire the keys of a shop. No secret is ever shown."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cookieguard.cli.options import (
    ConfigOption,
    JsonOption,
    KeyringOption,
    keyring_place,
    name_of,
    no_keyring,
    read_place,
    shop_config,
)
from cookieguard.cli.output import show_answer, show_line, show_rows
from cookieguard.config import Config
from cookieguard.errors import ConfigError, KeyRefused, KeyringFixed
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.break_glass import BreakGlass
from cookieguard.features.records.store.open import seal_keys_anew
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.rights.erased_customers import ErasedCustomers
from cookieguard.features.rights.queue import QueueDown
from cookieguard.features.rights.requests import requests_file, requests_opener
from cookieguard.keyring import (
    VERIFY_FIRST,
    AnyKey,
    Key,
    KeyPair,
    Keyring,
    KeyState,
    new_key,
    new_pair,
    retires_from,
    to_text,
)
from cookieguard.storage.journal import journal_of
from cookieguard.storage.keyring_file import change_keyring
from cookieguard.storage.keyring_source import KeyringPlace, longest_life
from cookieguard.storage.sealing import SealBroken
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener
from cookieguard.storage.store.protocol import StoreDown

ForceOption = Annotated[bool, typer.Option("--force", help="Do it even if a rule says not yet.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")]

keys = typer.Typer(help="List, add, promote and retire keys.")


@keys.command("list")
def list_keys(
    *, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False
) -> None:
    """List the keys: what each is used for, since when, and what you may do with it next."""
    shop = shop_config(config)
    place = keyring_place(shop, keyring)
    now, life = datetime.now(UTC), longest_life(shop)
    found = read_place(place)
    if not as_json:
        show_line(f"keyring: {name_of(place)}")
    rows = [
        (key.id, _kind(key), key.state, to_text(key.created), _next(key, now, life)) for key in found.every
    ]
    facts = {"keyring": name_of(place), "keys": [_facts(key, life) for key in found.every]}
    show_rows(facts, ("id", "kind", "state", "created", "next"), rows, as_json=as_json)


@keys.command("add")
def add_key(
    *,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    ed25519: Annotated[
        bool,
        typer.Option("--ed25519", help="An Ed25519 pair, for the consent log to sign with once promoted."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a new random key. It only verifies, until you promote it; the first key of a keyring signs at once."""
    now = datetime.now(UTC)
    made: AnyKey = new_pair(now) if ed25519 else new_key(now)

    def add(before: Keyring | None) -> Keyring:
        nonlocal made
        if before is not None:
            return before.with_key(made)
        if ed25519:
            raise ConfigError("keyring", was="missing", allowed="one with a secret: cookieguard keys add")
        made = new_key(now, state=KeyState.SIGNING)
        return Keyring([made])

    shop = shop_config(config)
    place = keyring_place(shop, keyring)
    if place.setting == "state_dir" and place.path is not None:
        # StateDirectory creates a missing directory, and refuses one that other users may enter.
        for directory in (shop.state_dir, place.path.parent):
            StateDirectory(directory).keep_out_of_repositories()
    _change(place, add)
    line = f"added {made.id} to {name_of(place)}: "
    if made.state is KeyState.SIGNING:
        line += "as the first key, it signs"
    else:
        line += f"it only verifies; from {to_text(made.created + VERIFY_FIRST)} on: cookieguard keys promote {made.id}"
    _answer("added", made, place, longest_life(shop), line, as_json=as_json)


@keys.command("promote")
def promote_key(
    key_id: KeyId,
    *,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    force: ForceOption = False,
    instead: Annotated[
        bool,
        typer.Option(
            "--instead",
            help="Remove the previous key in the same step, because it was stolen. Ends all sessions.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a key sign, 10 minutes after it was added. The previous key only verifies from then on."""
    now = datetime.now(UTC)
    shop = shop_config(config)
    place, life = keyring_place(shop, keyring), longest_life(shop)

    def promote(before: Keyring | None) -> Keyring:
        there = _existing(before, place)
        after = there.promoted(key_id, now=now, force=force or instead)
        if not instead:
            return after
        # In one step: between two steps, workers would sign a thief's session again with the new key.
        _seal_again(shop, place, after, force=force)
        for stolen in _signing(there) - _signing(after):
            after = after.retired(stolen, now=now, life=life, force=True)
        return after

    after = _change(place, promote)
    line = (
        f"promoted {key_id}: within 5 s every worker signs with it; what the previous key signed stays valid"
    )
    if instead:
        line = f"promoted {key_id} and removed the previous key: within 5 s no worker accepts what that one signed"
    _answer("promoted", _key_of(after, key_id), place, life, line, as_json=as_json)


def _signing(ring: Keyring) -> set[str]:
    return {key.id for key in ring.every if key.state is KeyState.SIGNING}


@keys.command("retire")
def retire_key(
    key_id: KeyId,
    *,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a key for good, once every cookie that it signed has expired."""
    now = datetime.now(UTC)
    shop = shop_config(config)
    place, life = keyring_place(shop, keyring), longest_life(shop)
    _seal_again(shop, place, force=force)
    removed: list[AnyKey] = []

    def retire(before: Keyring | None) -> Keyring:
        there = _existing(before, place)
        after = there.retired(key_id, now=now, life=life, force=force)
        removed.append(_key_of(there, key_id))
        return after

    _change(place, retire)
    line = f"retired {key_id}: within 5 s no worker accepts what it signed"
    _answer("retired", removed[-1], place, life, line, as_json=as_json)


def _seal_again(shop: Config, place: KeyringPlace, ring: Keyring | None = None, *, force: bool) -> None:
    """Seal requests, the list of accesses and the key of records with the new key, before the old one is removed."""
    if place.path is None or not place.path.exists():
        return
    state = StateDirectory(shop.state_dir)
    try:
        ring = ring or read_place(place)
        seal_keys_anew(shop, state.path, ring, environ=os.environ)
        if not shop.store.enabled:
            return
        kept = store_file(shop.store, state.path, environ=os.environ)
        if kept is None or kept.exists():
            with closing(store_opener(shop, state.path, environ=os.environ, keyring=ring)()) as store:
                BreakGlass(store, Recipients(ring), None).seal_anew()
        ErasedCustomers(journal_of(shop, state.path), ring).tidy(datetime.now(UTC))
        file = requests_file(shop, state, environ=os.environ)
        if file is not None and not file.exists():
            return
        with closing(requests_opener(shop, ring, state, environ=os.environ)()) as queue:
            queue.seal_anew()
    except (ConfigError, LogDown, OSError, QueueDown, SealBroken, StoreDown) as error:
        if not force:
            failed = f"records, customer requests and the list of accesses cannot be sealed with the new key ({error})"
            raise KeyRefused(f"{failed}; repair that, or lose them with --force") from error


def _change(place: KeyringPlace, change: Callable[[Keyring | None], Keyring]) -> Keyring:
    if place.path is None:
        raise KeyringFixed(
            f"{place.variable} holds the keyring, and a command cannot change that: write its text to a "
            f"file of mode 0600, repeat this with --keyring FILE, then set {place.variable} to that file's text"
        )
    return change_keyring(place.path, place.setting, change)


def _existing(keyring: Keyring | None, place: KeyringPlace) -> Keyring:
    if keyring is None:
        raise no_keyring(place)
    return keyring


def _key_of(keyring: Keyring, key_id: str) -> AnyKey:
    return next(key for key in keyring.every if key.id == key_id)


def _answer(
    done: str, key: AnyKey, place: KeyringPlace, life: timedelta, line: str, *, as_json: bool
) -> None:
    show_answer({"done": done, "keyring": name_of(place), "key": _facts(key, life)}, line, as_json=as_json)


def _facts(key: AnyKey, life: timedelta) -> dict[str, Any]:
    ends = retires_from(key, life=life)
    is_new = key.state is KeyState.VERIFY
    facts = {
        "id": key.id,
        "kind": _kind(key),
        "state": key.state,
        "created": to_text(key.created),
        "since": None if key.since is None else to_text(key.since),
        "promote_from": to_text(key.created + VERIFY_FIRST) if is_new else None,
        "retire_from": None if ends is None else to_text(ends),
    }
    if isinstance(key, KeyPair):
        facts["public"] = base64.urlsafe_b64encode(key.public).decode().rstrip("=")
    return facts


def _kind(key: AnyKey) -> str:
    return "secret" if isinstance(key, Key) else "ed25519"


def _next(key: AnyKey, now: datetime, life: timedelta) -> str:
    if key.state is KeyState.SIGNING:
        return ""
    ready, ends = key.created + VERIFY_FIRST, retires_from(key, life=life)
    if now < ready:
        return f"promote from {to_text(ready)}"
    if ends is None:
        return "keep"
    return "promote or retire" if ends <= now else f"retire from {to_text(ends)}"
