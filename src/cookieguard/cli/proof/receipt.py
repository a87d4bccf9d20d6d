"""`cookieguard receipt`: verifies a visitor's copy of a consent record on any machine, and writes one from the log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cookieguard.cli.approvals import note_access
from cookieguard.cli.options import ConfigOption, JsonOption, KeyringOption, shop_config
from cookieguard.cli.output import WRONG, printable, show_answer
from cookieguard.cli.proof.log import key_of, log_of
from cookieguard.errors import ConfigError
from cookieguard.features.records.log_reader import make_receipt
from cookieguard.features.records.values.receipts import MOST_BYTES, ReceiptBroken, verify_receipt

receipt = typer.Typer(help="Verify a visitor's copy of a record, or write one.")


@receipt.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The visitor's copy, as downloaded.")],
    *,
    key: Annotated[
        list[str] | None, typer.Option("--key", help="The log's public key. Default: the copy's own.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a visitor's copy, without a network and without the shop. Exit code 1 if it proves nothing."""
    try:
        keys = [key_of(text) for text in key or ()]
        with file.open("rb") as copy:  # read with a limit: the file may be endless, such as a device
            found = verify_receipt(copy.read(MOST_BYTES + 1), keys=keys)
    except OSError as error:
        was = f"{file} ({error.strerror})"
        raise ConfigError("FILE", was=was, allowed="a file that can be read") from error
    except ReceiptBroken as error:
        reason = str(error)
        show_answer({"verified": False, "reason": reason}, f"WRONG: {printable(reason)}", as_json=as_json)
        raise typer.Exit(WRONG) from error
    facts = {"origin": found.origin, "index": found.index, "size": found.size, "key": str(found.key)}
    show_answer(
        {"verified": True, **facts, "record": found.record},
        f"verified: entry {found.index} of {found.size} in the log {found.origin}",
        f"signed by {found.key}"
        + ("" if key else " (the copy's own key: compare it with the published one)"),
        *(f"{name}: {printable(str(value))}" for name, value in found.record.items()),
        as_json=as_json,
    )


@receipt.command("show")
def show(
    record: Annotated[str, typer.Argument(help="The record's id.")],
    *,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
) -> None:
    """Write the visitor's copy of a record to standard output. Reads a token with the role officer."""
    shop = shop_config(config)
    with log_of(shop, keyring) as stores:
        what = f"copy of record {record}"
        note_access(shop, keyring, what)
        text = make_receipt(stores, record)
    if text is None:
        raise ConfigError(
            "id", was="not the id of a readable record", allowed="that of a record in the log, not erased"
        )
    sys.stdout.buffer.write(text)
    sys.stdout.flush()
