"""`cookieguard log`: verify the consent log, show and export what is in it, write out its newest checkpoint."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
)
from cookieguard.cli.output import show_json, show_line
from cookieguard.config import Config
from cookieguard.engines.files.state_directory import StateDirectory
from cookieguard.engines.proof.anchors import local_anchors, read_anchors
from cookieguard.engines.proof.erasing import erase_subject
from cookieguard.engines.proof.open import open_stores, place_of, trusted_keys
from cookieguard.engines.proof.protocol import LogDown, Stores
from cookieguard.engines.proof.reading import Found, opened, read_record, read_subject, verify_log
from cookieguard.engines.proof.upkeep.pruning import prune_log
from cookieguard.errors import ConfigError
from cookieguard.proof.canonical import canonical
from cookieguard.proof.notes import NoteError, NoteKey, read_checkpoint
from cookieguard.proof.records import read_document
from cookieguard.proof.verification import Report

log = typer.Typer(help="Look into the consent log: verify it, show and export records.")

SHOWN = 20  # faults, on a terminal; --json has them all
PROGRESS_EVERY = 100_000  # entries

AnchorOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        "--anchor",
        help="A checkpoint kept elsewhere, or a directory of such; may be given several times.",
    ),
]
KeyOption = Annotated[
    list[str] | None,
    typer.Option("--key", help="The log's public key, as keys.json has it; default: those of the keyring."),
]


@log.command("verify")
def verify(
    *,
    anchor: AnchorOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify every entry. Exit codes: 0 whole; 1 broken at what is named; 2 cut or rolled back; 3 key missing."""
    shop = shop_config(config)
    with log_of(shop) as stores:
        name = stores.log.fact("origin") or ""
        keys = (
            [_key(one) for one in key]
            if key
            else trusted_keys(read_place(keyring_place(shop, keyring)), name)
        )
        kept = local_anchors(Path(shop.state_dir).absolute())
        try:
            anchors = read_anchors([*kept, *(anchor or ())])
        except OSError as error:
            raise ConfigError("--against", was=error.strerror, allowed="a file with a checkpoint") from error
        report = verify_log(stores.log, keys=keys, anchors=anchors, progress=_progress(as_json=as_json))
    _show_report(report, name, anchors=len(anchors), as_json=as_json)
    if report.verdict:
        raise typer.Exit(int(report.verdict))


@log.command("show")
def show(
    record: Annotated[str, typer.Argument(help="The record's id, as a receipt has it.")],
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one record. Exit code 1 where there is none."""
    with log_of(shop_config(config)) as stores:
        found = read_record(stores, record)
    if found is None:
        raise ConfigError("id", was="of no record in this log", allowed="the id in a receipt")
    facts = _facts(found)
    if as_json:
        show_json(facts)
        return
    for name, value in facts.items():
        if name != "record":
            show_line(f"{name}: {value}")
    show_line(canonical(facts["record"]).decode() if facts["record"] else "record: its subject was erased")


@log.command("export")
def export(
    *,
    subject: Annotated[
        str, typer.Option("--subject", help="Only of 'customer:NUMBER' or 'browser:ID'.")
    ] = "",
    first: Annotated[int, typer.Option("--first", help="From this entry on.")] = 0,
    config: ConfigOption = None,
) -> None:
    """Write records to standard output, one canonical JSON document (RFC 8785) a line."""
    with log_of(shop_config(config)) as stores:
        found = read_subject(stores, subject) if subject else _every(stores, first)
        for one in found:
            sys.stdout.buffer.write(canonical(_facts(one)) + b"\n")
    sys.stdout.flush()


@log.command("checkpoint")
def checkpoint(
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest checkpoint: keep it where the shop cannot change it, and `log verify --against` it later."""
    with log_of(shop_config(config)) as stores:
        note = stores.log.checkpoint()
        keys = stores.log.public_keys()
    if note is None:
        raise ConfigError("log", was="without a checkpoint yet", allowed="a log with an entry")
    if out is not None:
        out.write_text(note, "utf-8")
    newest = read_checkpoint(note)
    if as_json:
        show_json({"origin": newest.origin, "size": newest.size, "checkpoint": note, "keys": keys})
    elif out is None:
        sys.stdout.write(note)


@log.command("prune")
def prune(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let go of what was kept as long as `proof.keep` says; the shop does so by itself, once an hour."""
    shop, now = shop_config(config), datetime.now(UTC)
    state = StateDirectory(shop.state_dir)
    with log_of(shop):  # says so where there is none
        count = prune_log(shop, state, environ=os.environ, now=now)
    if as_json:
        show_json({"pruned_records": count})
    else:
        show_line(f"let go: {count} records; their hashes stay in the tree")


@log.command("erase")
def erase(
    subject: Annotated[str, typer.Argument(help="'customer:NUMBER' or 'browser:ID'.")] = "",
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Only do what the journal says, after a restore.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy the key of a person's records: nobody reads them again, and the log stays whole."""
    shop = shop_config(config)
    if not (subject or again):
        raise ConfigError("subject", was="missing", allowed="'customer:NUMBER', 'browser:ID', or --again")
    place = place_of(shop, Path(shop.state_dir).absolute(), environ=os.environ)
    with log_of(shop) as stores:  # opening them does what the journal says
        count = (
            erase_subject(stores, subject, journals=place.journals, now=datetime.now(UTC)) if subject else 0
        )
    if as_json:
        show_json({"erased_records": count})
    else:
        show_line(
            f"erased: {count} records nobody can read any more" if subject else "done: all of the journal"
        )


@contextmanager
def log_of(shop: Config) -> Iterator[Stores]:
    """Open the shop's log, which must be there; raises ConfigError."""
    place = place_of(shop, Path(shop.state_dir).absolute(), environ=os.environ)
    try:
        stores = open_stores(place, make=False)
    except LogDown as error:
        allowed = "a log that a worker of the shop made with its first record"
        raise ConfigError(
            "proof.url", was=f"of a log that cannot be opened ({error})", allowed=allowed
        ) from error
    try:
        yield stores
    except LogDown as error:
        raise ConfigError(
            "proof.url", was=f"of a log that cannot be read ({error})", allowed="another try"
        ) from error
    finally:
        stores.close()


def _key(text: str) -> NoteKey:
    try:
        return NoteKey.parse(text)
    except NoteError as error:
        raise ConfigError(
            "--key", was=f"no key of a log ({error})", allowed="one as keys.json has it"
        ) from error


def _every(stores: Stores, first: int) -> Iterator[Found]:
    for row in stores.log.rows(first):
        yield opened(stores, row)


def _facts(found: Found) -> dict[str, Any]:
    row = found.row
    made = {"kind": found.kind, "milliseconds": found.milliseconds}
    record = read_document(found.record) if found.record else None
    entry = base64.b64encode(row.entry).decode()
    return {
        "number": row.number,
        **made,
        "entry": entry,
        "salt": base64.b64encode(found.salt).decode(),
        "record": record,
    }


def _progress(*, as_json: bool) -> Callable[[int], None]:
    def tell(count: int) -> None:
        if not as_json and count % PROGRESS_EVERY < 256 and count > PROGRESS_EVERY and sys.stderr.isatty():
            sys.stderr.write(f"\r{count} entries")

    return tell


def _show_report(report: Report, name: str, *, anchors: int, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "verdict": report.verdict.name.lower(),
                "origin": name,
                "size": report.size,
                "root": report.root.hex(),
                "rows": report.rows,
                "pruned": report.pruned,
                "anchors": anchors,
                "faults": [{"number": one.number, "what": one.what} for one in report.faults],
                "more_faults": report.more_faults,
            }
        )
        return
    if not report.faults:
        gone = f", {report.pruned} of them let go" if report.pruned else ""
        show_line(
            f"whole: {report.size} entries of {name}{gone}, root {report.root.hex()}, {anchors} anchors hold"
        )
        return
    for one in report.faults[:SHOWN]:
        show_line(f"{one.verdict.name}: {one.what}")
    left = len(report.faults) - SHOWN + report.more_faults
    if left > 0:
        show_line(f"and {left} more; --json has {len(report.faults)}")
