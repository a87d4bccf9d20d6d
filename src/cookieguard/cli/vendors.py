"""`cookieguard vendors`: shows the vendors that staff changed in the console, and moves them into the configuration."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

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
from cookieguard.cli.output import WRONG, show_answer, show_json, show_line
from cookieguard.config import Config, Vendor
from cookieguard.errors import ConfigError
from cookieguard.features.vendors.rows import Known, append, read_known
from cookieguard.features.vendors.values.changes import Kind, Row
from cookieguard.features.vendors.values.declared import declared
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.storage.store.open import store_opener

PASTE = "# In cookieguard.toml, these entries take the place of those with the same name."
SAME = "the file and the store say the same"
FROZEN = "Frozen. Put the lines above into the file and restart the shop; then run this command again."
TAKEN = "The file has taken over: no change of the console counts any more."

vendors = typer.Typer(help="Show the vendors that staff changed in the console, and move them into the file.")


class _Shop(NamedTuple):
    """Hold what a command reads. `changed` lists the vendors in force that the file lacks or declares differently."""

    config: Config
    state: Path
    ring: Keyring
    known: Known
    changed: list[Vendor]


@vendors.command()
def export(
    *, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False
) -> None:
    """Print the TOML of each vendor that the console changed, as it is in force."""
    _show(_read(config, keyring).changed, as_json=as_json)


@vendors.command()
def diff(*, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False) -> None:
    """Compare the file with what is in force. Exit code 1 if they differ."""
    shop = _read(config, keyring)
    in_file = {vendor.name: _fields(vendor) for vendor in shop.config.vendors}
    found = {vendor.name: _differences(in_file.get(vendor.name), _fields(vendor)) for vendor in shop.changed}
    lines = [f"{name}: {line}" for name, differences in found.items() for line in differences]
    show_answer(found, *(lines or [SAME]), as_json=as_json)
    if lines:
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
    shop = _read(config, keyring)
    is_over = now or not shop.changed
    at = to_milliseconds(datetime.now(UTC))
    row = Row(Kind.TAKE if is_over else Kind.FREEZE, "", "", "command line", at)
    opener = store_opener(shop.config, shop.state, environ=os.environ, keyring=shop.ring)
    with store_answers(), closing(opener()) as store:
        append(store, shop.config, shop.known.rows, lambda _: row)
    if is_over:
        show_answer({"done": "taken over"}, TAKEN, as_json=as_json)
        return
    _show(shop.changed, as_json=as_json)
    if not as_json:
        show_line(f"# {FROZEN}")
    raise typer.Exit(WRONG)


def _read(file: Path | None, keyring: Path | None) -> _Shop:
    config = shop_config(file)
    if not config.console.applies:
        raise ConfigError("console.vendors", was="'draft'", allowed="'apply': else the file alone counts")
    state, ring = Path(config.state_dir).absolute(), read_place(keyring_place(config, keyring))
    with store_answers():
        known = read_known(config, state, ring, environ=os.environ)
    found = declared(config, known.ledger, known.held)
    return _Shop(config, state, ring, known, [vendor for vendor in found if vendor not in config.vendors])


def _differences(before: dict[str, Any] | None, after: dict[str, Any]) -> list[str]:
    if before is None:
        return ["not in the file"]
    return [
        f"{name} is {before.get(name)!r} in the file, and {after.get(name)!r} in force"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _show(changed: list[Vendor], *, as_json: bool) -> None:
    if as_json:
        show_json([_fields(vendor) for vendor in changed])
        return
    show_line(PASTE if changed else f"# {SAME}")
    for vendor in changed:
        show_line("\n[[vendors]]")
        for name, value in _fields(vendor).items():
            is_day = name == "contract_end"
            show_line(f"{name} = {value if is_day else json.dumps(value, ensure_ascii=False)}")


def _fields(vendor: Vendor) -> dict[str, Any]:
    """Return a vendor's fields that have a value, with dates as text."""
    found = {field.name: getattr(vendor, field.name) for field in dataclasses.fields(Vendor) if field.init}
    return {name: str(value) if isinstance(value, date) else value for name, value in found.items() if value}
