"""`cookieguard log`: verifies the consent log, and shows, exports, imports, prunes and erases its records."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cookieguard.cli.approvals import note_access
from cookieguard.cli.options import (
    ConfigOption,
    JsonOption,
    KeyringOption,
    keyring_of,
    read_pairs,
    require_subject,
    shop_config,
)
from cookieguard.cli.output import printable, show_answer, show_json, show_line, write_file
from cookieguard.config import Config
from cookieguard.config.loading.checks import require_match
from cookieguard.errors import ConfigError
from cookieguard.features.people.daily_limits import Use
from cookieguard.features.records.anchors import local_anchors, read_anchors
from cookieguard.features.records.erasure_journal import erase_subject
from cookieguard.features.records.log_reader import (
    OpenedRecord,
    opened,
    read_record,
    read_subject,
    verify_log,
)
from cookieguard.features.records.store.open import (
    Place,
    has_log,
    open_log,
    open_log_store,
    open_stores,
    place_of,
    trusted_keys,
)
from cookieguard.features.records.store.protocol import LogDown, Stores
from cookieguard.features.records.text_check import verify_named_texts, verify_stored_texts
from cookieguard.features.records.upkeep.importing import Imported, import_rows, rows_of_file
from cookieguard.features.records.upkeep.pruning import life_of, prune_log
from cookieguard.features.records.upkeep.timestamps import (
    StampRefused,
    can_stamp,
    check_stamp,
    roots_of,
    stamped,
)
from cookieguard.features.records.values.canonical import canonical
from cookieguard.features.records.values.consents import CONSENT, Asker
from cookieguard.features.records.values.imports import FIELDS, TOOL, Source, source_of
from cookieguard.features.records.values.notes import NoteError, NoteKey, read_checkpoint
from cookieguard.features.records.values.records import read_document, to_text
from cookieguard.features.records.values.verification import Report, Verdict
from cookieguard.features.records.writer import LogWriter
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

log = typer.Typer(help="Verify the consent log, and show and export its records.")

SHOWN = 20  # faults in text output; --json lists more
PROGRESS_EVERY = 10_000  # entries, or rows of a file
FOR_GOOD = 36_500  # days: 100 years, for a kind of record that `proof.keep` never deletes

AnchorOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        "--anchor",
        help="A checkpoint kept elsewhere, or a directory of them. Can be given several times.",
    ),
]
KeyOption = Annotated[
    list[str] | None,
    typer.Option("--key", help="The log's public key, as in keys.json. Default: the keyring's keys."),
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
    """Verify every entry. Exit codes: 0 whole; 1 broken (it says where); 2 cut or rolled back; 3 key missing.

    With --key it opens no record, so a copy of the log's database is enough.
    """
    shop = shop_config(config)
    place = _place(shop, keyring)
    with _readable(), closing(open_log_store(place.log, make=False)) as store:
        name = store.fact("origin") or ""
        keys = [key_of(text) for text in key] if key else trusted_keys(place.keyring(), name)
        kept = local_anchors(Path(shop.state_dir).absolute())
        try:
            stamps = list(stamped(Path(shop.state_dir).absolute()))
            anchors = read_anchors([*kept, *(anchor or ())])
            anchors += [(file, note.decode("utf-8", "replace")) for file, note, _ in stamps]
        except OSError as error:
            was = f"{error.filename} ({error.strerror})"
            raise ConfigError("--against", was=was, allowed="a file with a checkpoint") from error
        report = verify_log(store, keys=keys, anchors=anchors, progress=_progress(as_json=as_json))
        verify_stored_texts(store, report)
        stamped_until = _stamp(shop, stamps, report)
    if not key:
        with log_of(shop, keyring) as stores:
            verify_named_texts(stores, report)
    elif not as_json:
        show_line("records are not opened, so the texts that they name are not looked for")
    _show_report(report, name, anchors=len(anchors), stamped_until=stamped_until, as_json=as_json)
    if report.verdict:
        raise typer.Exit(int(report.verdict))


@log.command("show")
def show(
    record: Annotated[str, typer.Argument(help="The record's id, as in a receipt.")],
    *,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one record. Reads a token with the role officer. Exit code 1 if the record does not exist."""
    shop = shop_config(config)
    with log_of(shop, keyring) as stores:
        note_access(shop, keyring, f"record {record}")
        found = read_record(stores, record)
    if found is None:
        raise ConfigError("id", was="not the id of a record in this log", allowed="the id in a receipt")
    facts = _facts(found)
    record_text = canonical(facts["record"]).decode() if facts["record"] else "record: its subject was erased"
    lines = [f"{name}: {value}" for name, value in facts.items() if name != "record"]
    show_answer(facts, *lines, printable(record_text), as_json=as_json)


@log.command("export")
def export(
    *,
    subject: Annotated[
        str, typer.Option("--subject", help="Only records of 'customer:NUMBER', 'browser:ID' or 'named:WHO'.")
    ] = "",
    first: Annotated[int, typer.Option("--first", help="Start at this entry.")] = 0,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
) -> None:
    """Write records to standard output, one canonical JSON document (RFC 8785) per line.

    Reads a token with the role officer.
    """
    require_subject("--subject", subject)
    shop = shop_config(config)
    with log_of(shop, keyring) as stores:
        what = "records of one subject" if subject else f"all records from {first} on"
        note_access(shop, keyring, what, subject=subject, use=Use.VIEW if subject else Use.EXPORT)
        rows = stores.log.rows(first)
        found = read_subject(stores, subject) if subject else (opened(stores, row) for row in rows)
        for opened_record in found:
            sys.stdout.buffer.write(canonical(_facts(opened_record)) + b"\n")
    sys.stdout.flush()


@log.command("checkpoint")
def checkpoint(
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest checkpoint. Keep it where the shop cannot change it, for a later `log verify --against`."""
    with log_of(shop_config(config)) as stores:
        note = stores.log.checkpoint()
        keys = stores.log.public_keys()
    if note is None:
        raise ConfigError("log", was="without a checkpoint yet", allowed="a log with at least one entry")
    if out is not None:
        write_file("--out", out, note.encode())
    newest = read_checkpoint(note)
    if as_json:
        show_json({"origin": newest.origin, "size": newest.size, "checkpoint": note, "keys": keys})
    elif out is None:
        sys.stdout.write(note)


@log.command("prune")
def prune(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Remove the records that `proof.keep` no longer keeps. The shop does this by itself once an hour."""
    shop, now = shop_config(config), datetime.now(UTC)
    state = StateDirectory(shop.state_dir)
    with log_of(shop):  # raises ConfigError if there is no log
        count = prune_log(shop, state, environ=os.environ, now=now)
    line = f"removed: {count} records; their hashes stay in the tree"
    show_answer({"pruned_records": count}, line, as_json=as_json)


@log.command("erase")
def erase(
    subject: Annotated[str, typer.Argument(help="'customer:NUMBER', 'browser:ID' or 'named:WHO'.")] = "",
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Only repeat the journal's erasures, after a restore.")
    ] = False,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy the key of a person's records. They can never be read again, and the log stays whole.

    Reads two tokens: of a member with the role support, and of an officer who approves.
    """
    shop = shop_config(config)
    if not (subject or again):
        raise ConfigError("subject", was="missing", allowed="'customer:NUMBER', 'browser:ID', or --again")
    require_subject("subject", subject)
    erasures = _place(shop, keyring).erasures
    with log_of(shop, keyring) as stores:  # opening the log repeats the journal's erasures
        if subject:
            what, use = "erasure of records", Use.ERASURE
            note_access(shop, keyring, what, subject=subject, second="support", use=use)
        count = erase_subject(stores, subject, erasures=erasures, now=datetime.now(UTC)) if subject else 0
    line = f"erased: {count} records, now unreadable" if subject else "done: all erasures of the journal"
    show_answer({"erased_records": count}, line, as_json=as_json)


@log.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="The export, as CSV or JSON.")],
    *,
    source: Annotated[str, typer.Option("--from", help="The tool's name, for the records: 'cookiebot'.")],
    columns: Annotated[
        str,
        typer.Option(
            "--columns",
            help=f"The column of {', '.join(FIELDS)}, or of a purpose of the shop: FIELD=COLUMN,...",
        ),
    ] = "",
    words: Annotated[
        str, typer.Option("--words", help="The meaning of the tool's words for purposes: THEIRS=PURPOSE,...")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read the file, but write nothing.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import another tool's records into the log, each row once. Exit code 1 if a row cannot be used."""
    require_match("--from", source, TOOL, "lower-case letters, digits and -, and no kind of our own subjects")
    shop, now = shop_config(config), datetime.now(UTC)
    purposes = [purpose.id for purpose in shop.purposes]
    reading = source_of(
        source,
        purposes=purposes,
        vendors={vendor.name: vendor.purpose for vendor in shop.vendors},
        columns=read_pairs("--columns", columns, names=[*FIELDS, *purposes]),
        words=read_pairs("--words", words, values=purposes),
    )
    done = _import(shop, file, reading, now, writes=not dry_run, as_json=as_json)
    _show_imported(done, as_json=as_json)
    if done.bad:
        raise typer.Exit(int(Verdict.BROKEN))


def _import(
    shop: Config, file: Path, reading: Source, now: datetime, *, writes: bool, as_json: bool
) -> Imported:
    if not shop.proof.enabled:
        raise ConfigError("proof.enabled", was=False, allowed="true, because otherwise there is no log")
    writer = _opened_log(shop, now) if writes else None
    asker = Asker(
        controller=shop.proof.controller or (shop.origins[0].partition("://")[2] if shop.origins else ""),
        jurisdiction=shop.proof.jurisdiction,
        withdrawal=f"{shop.prefix}choices",
        recipients={},
    )
    oldest = timedelta(days=shop.proof.kept_days.get(CONSENT, FOR_GOOD)) + life_of(shop)
    try:
        return import_rows(
            rows_of_file(file),
            reading,
            writer,
            asker=asker,
            now=now,
            oldest=oldest,
            progress=_progress(as_json=as_json, what="rows"),
        )
    except (LogDown, TimeoutError) as error:
        was = f"not usable: the log takes no record ({str(error) or 'no answer'})"
        raise ConfigError(
            "proof.url", was=was, allowed="another try; rows that are in the log are not written twice"
        ) from error
    finally:
        if writer is not None:
            writer.close()


def _opened_log(shop: Config, now: datetime) -> LogWriter | None:
    """Open the log. This creates the keyring of a shop that was never started, but does not replace a lost one."""
    state = StateDirectory(shop.state_dir)
    is_new = all(path.name == ".gitignore" for path in state.paths()) and not has_log(
        shop, state.path, environ=os.environ
    )
    keyring = load_keyring(state, shop.keys, environ=os.environ, now=now if is_new else None)
    return open_log(shop, state, keyring, environ=os.environ)


def _show_imported(done: Imported, *, as_json: bool) -> None:
    bad = [{"where": where, "what": what} for where, what in done.bad]
    counts = {"imported": done.written, "known": done.known, "too_old": done.old}
    lines = [f"BAD: {where} {what}" for where, what in done.bad[:SHOWN]]
    if done.all_bad > SHOWN:
        lines.append(f"and {done.all_bad - SHOWN} more; --json lists {len(done.bad)}")
    show_answer(
        {**counts, "bad": bad, **({"more_bad": done.more_bad} if done.more_bad else {})},
        *lines,
        f"{done.rows} rows: {done.written} imported, {done.known} already there, "
        f"{done.old} older than proof.keep, {done.all_bad} bad",
        as_json=as_json,
    )


@contextmanager
def log_of(shop: Config, keyring: Path | None = None) -> Iterator[Stores]:
    """Open the shop's log; raises ConfigError if there is none."""
    with _readable(), closing(open_stores(_place(shop, keyring), make=False)) as stores:
        yield stores


def _place(shop: Config, keyring: Path | None) -> Place:
    place = place_of(shop, Path(shop.state_dir).absolute(), environ=os.environ)
    return place._replace(keyring=lambda: keyring_of(shop, keyring))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except LogDown as error:
        was = f"not usable: the log cannot be read ({error})"
        raise ConfigError("proof.url", was=was, allowed="a log to which the shop has written") from error


def key_of(text: str) -> NoteKey:
    """Return a log's public key, given on the command line; raises ConfigError."""
    try:
        return NoteKey.parse(text)
    except NoteError as error:
        raise ConfigError(
            "--key", was=f"not the key of a log ({error})", allowed="a key as in keys.json"
        ) from error


def _facts(found: OpenedRecord) -> dict[str, Any]:
    row = found.row
    return {
        "number": row.number,
        "kind": found.kind,
        "milliseconds": found.milliseconds,
        "entry": base64.b64encode(row.entry).decode(),
        "salt": base64.b64encode(found.salt).decode(),
        "record": read_document(found.record) if found.record else None,
    }


def _progress(*, as_json: bool, what: str = "entries") -> Callable[[int], None]:
    shown = 0

    def show_progress(count: int) -> None:
        nonlocal shown
        if not as_json and count - shown >= PROGRESS_EVERY and sys.stderr.isatty():
            shown = count
            sys.stderr.write(f"\r{count} {what}")

    return show_progress


def _stamp(shop: Config, stamps: Sequence[tuple[str, bytes, bytes]], report: Report) -> str:
    """Check every time stamp, add a fault for each invalid one, and return in words up to when entries are proved."""
    if not stamps:
        return ""
    if not (can_stamp() and shop.proof.timestamp_roots):
        return f"{len(stamps)} time stamps are NOT checked: this needs the extra anchor and proof.timestamp_roots"
    roots, newest = roots_of(shop), (0, "")
    for name, note, answer in stamps:
        try:
            size, time = check_stamp(note, answer, roots)
        except StampRefused as error:
            report.add(Verdict.BROKEN, None, f"{name}: {error}")
        else:
            newest = max(newest, (size, to_text(time)))
    return f"{newest[0]} entries existed at {newest[1]}, by {len(stamps)} time stamps" if newest[0] else ""


def _show_report(report: Report, name: str, *, anchors: int, stamped_until: str, as_json: bool) -> None:
    size, root, faults = report.size, report.root.hex(), report.faults
    facts = {
        "verdict": report.verdict.name.lower(),
        "origin": name,
        "size": size,
        "root": root,
        "rows": report.rows,
        "pruned": report.pruned,
        "anchors": anchors,
        "time_stamps": stamped_until,
        "faults": [{"number": fault.number, "what": fault.what} for fault in faults],
        "more_faults": report.more_faults,
    }
    lines = [stamped_until] if stamped_until else []
    lines += [f"{fault.verdict.name}: {fault.what}" for fault in faults[:SHOWN]]
    if (left := len(faults) - SHOWN + report.more_faults) > 0:
        lines.append(f"and {left} more; --json lists {len(faults)}")
    if not faults:
        gone = f", {report.pruned} of them removed" if report.pruned else ""
        lines.append(f"whole: {size} entries of {name}{gone}, root {root}, {anchors} anchors match")
    show_answer(facts, *lines, as_json=as_json)
