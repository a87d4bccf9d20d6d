"""`cookieguard vendors`: the vendors that staff changed in the console, as lines for the file."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cookieguard.cli.options import (
    ConfigOption,
    JsonOption,
    KeyringOption,
    read_keyring,
    shop_config,
    store_answers,
)
from cookieguard.cli.output import WRONG, show_answer
from cookieguard.config import Vendor
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.vendors.ledger import Row
from cookieguard.features.vendors.rows import append, in_force, read_ledger
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.storage.store.open import store_opener

PASTE = "# In cookieguard.toml, these entries take the place of those with the same name."
SAME = "the file and the store say the same"
FROZEN = "# Frozen. Put the lines above into the file and restart the shop; then run this command again."
TAKEN = "The file has taken over: no change of the console counts any more."
Fields = dict[str, Any]

vendors = typer.Typer(help="Show the vendors that staff changed in the console, and move them into the file.")


@vendors.command()
def export(
    *, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False
) -> None:
    """Print the TOML of each vendor that the console changed, as it is in force."""
    _, changed = _read(config, keyring)
    show_answer(changed, *_lines(changed), as_json=as_json)


@vendors.command()
def diff(*, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False) -> None:
    """Compare the file with what is in force. Exit code 1 if they differ."""
    shop, changed = _read(config, keyring)
    in_file = {vendor.name: _fields(vendor) for vendor in shop.config.vendors}
    told = {fields["name"]: _differences(in_file.get(fields["name"]), fields) for fields in changed}
    lines = [f"{name}: {line}" for name, found in told.items() for line in found]
    show_answer(told, *(lines or [SAME]), as_json=as_json)
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
    shop, changed = _read(config, keyring)
    is_over = now or not changed
    row = Row("take" if is_over else "freeze", "", name="command line", at=to_milliseconds(shop.now))
    opener = store_opener(shop.config, shop.state, environ=shop.environ, keyring=shop.keyring)
    with store_answers(), closing(opener()) as store:
        append(store, shop.config, read_ledger(shop).rows, row)
    if is_over:
        show_answer({"done": "taken over"}, TAKEN, as_json=as_json)
        return
    show_answer(changed, *_lines(changed), FROZEN, as_json=as_json)
    raise typer.Exit(WRONG)


def _read(file: Path | None, keyring: Path | None) -> tuple[Shop, list[Fields]]:
    """Return the shop, and the vendors in force that its file does not declare like this."""
    config = shop_config(file)
    if not config.console.applies:
        raise ConfigError("console.vendors", was="'draft'", allowed="'apply': else the file alone counts")
    ring = read_keyring(config, keyring)
    shop = Shop(config=config, environ=os.environ, now=datetime.now(UTC), given=ring)
    with store_answers():
        return shop, [_fields(vendor) for vendor in in_force(shop).vendors if vendor not in config.vendors]


def _fields(vendor: Vendor) -> Fields:
    """Return the fields of a vendor that have a value, as JSON has them."""
    found = {field.name: getattr(vendor, field.name) for field in dataclasses.fields(Vendor) if field.init}
    return {name: str(value) if isinstance(value, date) else value for name, value in found.items() if value}


def _differences(before: Fields | None, after: Fields) -> list[str]:
    if before is None:
        return ["not in the file"]
    values = {name: (before.get(name), after.get(name)) for name in sorted({**before, **after})}
    changed = {name: pair for name, pair in values.items() if pair[0] != pair[1]}
    return [f"{name} is {old!r} in the file, and {new!r} in force" for name, (old, new) in changed.items()]


def _lines(changed: list[Fields]) -> Iterator[str]:
    yield PASTE if changed else f"# {SAME}"
    for vendor in changed:
        yield "\n[[vendors]]"
        for name, value in vendor.items():
            is_day = name == "contract_end"
            yield f"{name} = {value if is_day else json.dumps(value, ensure_ascii=False)}"
