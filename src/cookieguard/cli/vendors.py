"""`cookieguard vendors`: the vendors that staff changed in the console, as lines for the file."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cookieguard.cli.options import (
    ConfigOption,
    JsonOption,
    KeyringOption,
    keyring_place,
    read_place,
    shop_config,
    store_answers,
)
from cookieguard.cli.output import show_answer, show_json, show_line
from cookieguard.config import Config, Vendor
from cookieguard.errors import ConfigError
from cookieguard.features.vendors.reading import read_known
from cookieguard.features.vendors.rows import append
from cookieguard.features.vendors.values.changes import Kind, Row
from cookieguard.features.vendors.values.declared import declared
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.storage.store.open import store_opener

WRONG = 1
PASTE = "# In cookieguard.toml, these entries take the place of those with the same name."
SAME = "the file and the store say the same"
FROZEN = "Frozen. Put the lines above into the file and restart the shop; then run this command again."
TAKEN = "The file has taken over: no change of the console counts any more."

vendors = typer.Typer(help="Show the vendors that staff changed in the console, and move them into the file.")


@vendors.command()
def export(
    *, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False
) -> None:
    """Print the TOML of each vendor that the console changed, as it is in force."""
    shop = shop_config(config)
    _show(_changed(shop, _keyring(shop, keyring)), as_json=as_json)


@vendors.command()
def diff(*, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False) -> None:
    """Compare the file with what is in force. Exit code 1 if they differ."""
    shop = shop_config(config)
    changed = _changed(shop, _keyring(shop, keyring))
    told = {one.name: list(_differences(shop, one)) for one in changed}
    lines = [f"{name}: {line}" for name, found in told.items() for line in found]
    show_answer(told, *(lines or [SAME]), as_json=as_json)
    if changed:
        raise typer.Exit(WRONG)


@vendors.command()
def freeze(
    *,
    now: Annotated[
        bool, typer.Option("--now", help="End the console's changes at once, also if the file differs.")
    ] = False,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move the console's changes into the file.

    While the file differs, this prints the lines and stops all further changes. Once the file has them, run it again:
    the file takes over, and the console is open for new changes. Exit code 1 if the file differs.
    """
    shop = shop_config(config)
    ring = _keyring(shop, keyring)
    changed = _changed(shop, ring)
    is_over = now or not changed
    row = Row(
        Kind.TAKE if is_over else Kind.FREEZE, "", "", "command line", to_milliseconds(datetime.now(UTC))
    )
    with store_answers():
        known = read_known(shop, _state(shop), ring, environ=os.environ)
        with closing(store_opener(shop, _state(shop), environ=os.environ, keyring=ring)()) as store:
            append(store, shop, known.rows, lambda _: row)
    if is_over:
        show_answer({"done": "taken over"}, TAKEN, as_json=as_json)
        return
    _show(changed, as_json=as_json)
    if not as_json:
        show_line(f"# {FROZEN}")
    raise typer.Exit(WRONG)


def _state(shop: Config) -> Path:
    return Path(shop.state_dir).absolute()


def _keyring(shop: Config, keyring: Path | None) -> Keyring:
    if not shop.console.applies:
        raise ConfigError("console.vendors", was="'draft'", allowed="'apply': else the file alone counts")
    return read_place(keyring_place(shop, keyring))


def _changed(shop: Config, ring: Keyring) -> list[Vendor]:
    """Return the vendors in force that the file does not declare in the same way."""
    with store_answers():
        known = read_known(shop, _state(shop), ring, environ=os.environ)
    return [one for one in declared(shop, known.ledger, known.held) if one not in shop.vendors]


def _differences(shop: Config, vendor: Vendor) -> Iterator[str]:
    entry = next((one for one in shop.vendors if one.name == vendor.name), None)
    if entry is None:
        yield "not in the file"
        return
    before, after = _fields(entry), _fields(vendor)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name} is {before.get(name)!r} in the file, and {after.get(name)!r} in force"


def _show(changed: list[Vendor], *, as_json: bool) -> None:
    if as_json:
        show_json([_fields(one) for one in changed])
        return
    show_line(PASTE if changed else f"# {SAME}")
    for one in changed:
        show_line("\n[[vendors]]")
        for name, value in _fields(one).items():
            is_day = name == "contract_end"
            show_line(f"{name} = {value if is_day else json.dumps(value, ensure_ascii=False)}")


def _fields(vendor: Vendor) -> dict[str, Any]:
    """Return what is set of a vendor, as JSON has it."""
    found = {}
    for one in dataclasses.fields(Vendor):
        value = getattr(vendor, one.name)
        if one.init and value not in ("", (), False, None):
            found[one.name] = (
                list(value)
                if isinstance(value, tuple)
                else str(value)
                if one.name == "contract_end"
                else value
            )
    return found
