"""`cookieguard policy`: announces a version of the shop's policy, mails its notices, and shows how many were sent."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any

import typer

from cookieguard.cli.approvals import one_member
from cookieguard.cli.options import (
    ConfigOption,
    JsonOption,
    KeyringOption,
    keyring_of,
    open_outbox,
    open_store,
    shop_config,
)
from cookieguard.cli.output import WRONG, show_answer, show_line, show_rows
from cookieguard.config.languages import language_of
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.outbox.outbox import Outbox
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.outbox.relay import relay_of
from cookieguard.features.outbox.sending import Sender
from cookieguard.features.policy.announcement_run import (
    Notices,
    fill_run,
    load_customers,
    require_origin,
    run_of,
)
from cookieguard.features.policy.announcing import announce, complete, find_version, release
from cookieguard.features.policy.folder import read_folder, told_of
from cookieguard.features.policy.kept_texts import KeptTexts, read_kept
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.live_policy import keep_copy
from cookieguard.features.policy.values.difference import Way, differences
from cookieguard.features.policy.values.ledger import Announcement, Ledger, files_of
from cookieguard.features.policy.values.versions import (
    Version,
    after,
    altered,
    dated,
    first_day,
    in_force,
    texts_to_compare,
)
from cookieguard.features.records.acts import Acts, acts_of
from cookieguard.features.records.values.log import LogDown
from cookieguard.mail.runs import Run
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file
from cookieguard.storage.store.protocol import Store

PROGRESS_SECONDS = 1.0
COUNTS = ("total", "sent", "waiting", "refused", "uncertain", "is_complete")
MARKS = {Way.SAME: ("", ""), Way.ADDED: ("{+", "+}"), Way.REMOVED: ("[-", "-]"), Way.CHANGED: ("", "")}

policy = typer.Typer(help="Announce versions of the policy and send their notices.")

VersionArgument = Annotated[
    str, typer.Argument(metavar="VERSION", help="The name of its folder, like 2026-12-15.")
]


@dataclass(frozen=True, kw_only=True)
class PolicyShop(Shop):
    """Add the policy's versions to the shop."""

    versions: tuple[Version, ...]
    refused: list[str]

    @property
    def directory(self) -> StateDirectory:
        """Return the state directory, which is created if it is missing."""
        return StateDirectory(self.state)


@policy.command("announce")
def announce_version(
    version: VersionArgument,
    *,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Announce a version. Its files can no longer change, the site announces it, and each customer gets a notice.

    Run it again to add the customers who came since; no customer gets two notices.
    """
    shop = _shop(config)
    found = find_version(shop.versions, version)
    require_origin(shop.config)
    customers = load_customers(shop.config.mail.customers)
    shop = replace(shop, given=keyring_of(shop.config, keyring))
    recipients = Recipients(shop.keyring)
    with open_outbox(shop) as outbox, open_store(shop) as store, _record(shop) as record:
        days = shop.config.policy.notice_days
        ledger = announce(store, shop.versions, found, now=shop.now, notice_days=days, record=record)
        keep_copy(shop.directory, ledger)
        progress = _progress(lambda count: f"notices in the outbox: {count}")
        filled = fill_run(outbox, run_of(found), customers, recipients, now=shop.now, progress=progress)
        added = asyncio.run(filled)
        run = outbox.count(run_of(found))
        keep_copy(shop.directory, _note(shop, store, found, run, record))
    line = f"announced {found.name}; notices: {added} new, {run.summary}; to send them, run: cookieguard policy send"
    facts = {"done": "announced", "version": found.name, "added": added, **_counts(run)}
    show_answer(facts, line, as_json=as_json)


@policy.command("send")
def send_notices(
    *, config: ConfigOption = None, keyring: KeyringOption = None, as_json: JsonOption = False
) -> None:
    """Send all notices that are waiting. Several machines can send at once.

    Exit code 1 if a version's notices are not complete.
    """
    shop = _shop(config)
    shop = replace(shop, given=keyring_of(shop.config, keyring))
    relay, sender = relay_of(shop.config.mail, environ=os.environ), parseaddr(shop.config.mail.sender)[1]
    with open_outbox(shop) as outbox:
        with open_store(shop) as store:
            ledger = read_ledger(store)
        days = dated(shop.versions, ledger, shop.now.date(), shop.config.policy.notice_days)
        notices = Notices(shop.config, days, Recipients(shop.keyring), shop.now)
        open_ = [version for version in shop.versions if _is_open(ledger, version, outbox)]
        runs = [run_of(version) for version in open_]
        count = 0

        def sent() -> None:
            nonlocal count
            count += 1
            progress(count)

        progress = _progress(lambda count: f"notices tried: {count}")
        work = Sender(outbox, relay, sender=sender, build=notices.build)
        asyncio.run(work.run(runs, connections=shop.config.mail.connections, progress=sent))
        counted = [(version, outbox.count(run_of(version))) for version in open_]
        # Sending may take hours. The store is opened again because its server may have closed the first connection.
        with open_store(shop) as store, _record(shop) as record:
            for version, run in counted:
                keep_copy(shop.directory, _note(shop, store, version, run, record))
    lines = [f"{version.name}: {run.summary}" for version, run in counted]
    facts = {"runs": {version.name: _counts(run) for version, run in counted}}
    show_answer(facts, *(lines or ["no announced version has notices to send"]), as_json=as_json)
    if not all(run.is_complete for _, run in counted):
        raise typer.Exit(WRONG)


@policy.command("status")
def show_status(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show each version, its dates and the state of its notices. Exit code 1 if an announced file has changed."""
    shop = _shop(config)
    ledger, runs, replies = dict[str, Announcement](), dict[str, Run](), dict[str, Mapping[str, int]]()
    database = store_file(shop.config.store, shop.state, environ=os.environ)
    if database is None or database.exists():  # if there is none, no version is announced
        with open_store(shop) as store, open_outbox(shop) as outbox:
            ledger = dict(read_ledger(store))
            announced = [version for version in shop.versions if version.name in ledger]
            runs = {version.name: _run(outbox, version, ledger) for version in announced}
            replies = {name: outbox.replies(f"policy-{name}") for name in runs}
    changed = [*shop.refused, *altered(shop.versions, files_of(ledger))]
    versions = dated(shop.versions, ledger, shop.now.date(), shop.config.policy.notice_days)
    rows = [
        _row(versions, version, ledger, runs.get(version.name), shop.now)
        | {"replies": replies.get(version.name, {})}
        for version in versions
    ]
    heads = ("version", "announced", "effective", "state", "notices", "replies")
    replied = [", ".join(f"{reply}: {count}" for reply, count in row["replies"].items()) for row in rows]
    cells = [(*(str(row[head]) for head in heads[:5]), text) for row, text in zip(rows, replied, strict=True)]
    show_rows({"versions": rows, "changed": changed}, heads, cells, as_json=as_json)
    for file in () if as_json else changed:
        show_line(f"WRONG {told_of([file])}: restore what was published")
    if changed:
        raise typer.Exit(WRONG)


@policy.command("diff")
def show_differences(
    version: VersionArgument,
    *,
    language: Annotated[str, typer.Option("--language", help="Default: the shop's language.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what changed from the version before: [-removed-] and {+added+}."""
    shop = _shop(config)
    found = find_version(shop.versions, version)
    at = shop.versions.index(found)
    default = language_of(shop.config.consent.language)
    spoken, old, new = texts_to_compare(
        shop.versions[at - 1] if at else found, found, language or default, default
    )
    if language not in ("", spoken):
        sys.stderr.write(f"cookieguard: one of the versions has no text in {language}; showing {spoken}\n")
    edits = differences(old.markdown if at else "", new.markdown)
    facts = [
        {"way": edit.way, "heading": edit.heading, "pieces": [[part.way, part.text] for part in edit.pieces]}
        for edit in edits
    ]
    lines = (
        f"{edit.way}{f' ({edit.heading})' if edit.heading else ''}: "
        + "".join(f"{MARKS[part.way][0]}{part.text}{MARKS[part.way][1]}" for part in edit.pieces)
        + "\n"
        for edit in edits
    )
    show_answer({"version": found.name, "changes": facts}, *lines, as_json=as_json)


@policy.command("release")
def release_version(
    version: VersionArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; `policy status` shows it.")],
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a version take effect without the notices that are missing. Those that were sent keep their notice period.

    It reads the token of an officer from standard input, and records that person with the reason.
    """
    shop = _shop(config)
    found = find_version(shop.versions, version)
    shop = replace(shop, given=keyring_of(shop.config, keyring))
    member = one_member(shop.keyring, shop.directory, "officer")
    with open_outbox(shop) as outbox, open_store(shop) as store, _record(shop) as record:
        entry = read_ledger(store).get(found.name)
        if entry is not None and entry.forgotten is None:  # a killed sender did not note its progress
            _note(shop, store, found, outbox.count(run_of(found)), record)
        ledger = release(store, found, reason, by=member, now=shop.now, record=record)
        keep_copy(shop.directory, ledger)
    day = first_day(found, ledger[found.name])
    line = f"released {found.name} by {member.name}: it takes effect on {day}, even if notices are missing"
    show_answer({"done": "released", "version": found.name, "reason": reason}, line, as_json=as_json)


def _shop(path: Path | None) -> PolicyShop:
    config = shop_config(path)
    if not config.policy.folder:
        raise ConfigError("policy.folder", was="empty", allowed="the folder of the policy's versions")
    kept = KeptTexts({}, {})
    with suppress(LogDown):  # commands that write to the log report it themselves
        kept = read_kept(config, Path(config.state_dir), None, environ=os.environ)
    versions, refused = read_folder(config, kept)
    now = datetime.now(UTC)
    return PolicyShop(config=config, environ=os.environ, now=now, versions=versions, refused=refused)


@contextmanager
def _record(shop: PolicyShop) -> Iterator[Acts]:
    with acts_of(shop.config, shop.directory, shop.keyring, environ=shop.environ) as acts:
        yield acts or Acts(None)


def _note(shop: PolicyShop, store: Store, version: Version, run: Run, record: Acts) -> Ledger:
    """Note how many of a version's notices are sent by now, which may be days after the command began."""
    days = shop.config.policy.notice_days
    return complete(store, version, run, now=datetime.now(UTC), notice_days=days, record=record)


def _run(outbox: Outbox, version: Version, ledger: Ledger) -> Run:
    entry = ledger[version.name]
    return outbox.count(run_of(version)) if entry.forgotten is None else entry.run


def _is_open(ledger: Ledger, version: Version, outbox: Outbox) -> bool:
    """Return whether a version may have notices to send, such as for customers added after its run was complete."""
    entry = ledger.get(version.name)
    if entry is None or entry.forgotten is not None:
        return False
    return entry.completed is None or outbox.count(run_of(version)).waiting > 0


def _progress(text: Callable[[int], str]) -> Callable[[int], None]:
    last = time.monotonic()

    def show(count: int) -> None:
        nonlocal last
        if time.monotonic() >= last + PROGRESS_SECONDS:
            last = time.monotonic()
            sys.stderr.write(f"{text(count)}\n")

    return show


def _row(
    versions: Sequence[Version], version: Version, ledger: Ledger, run: Run | None, now: datetime
) -> dict[str, Any]:
    return {
        "version": version.name,
        "announced": str(version.announced),
        "effective": str(version.effective),
        "state": _state(versions, version, ledger, now),
        "notices": run.summary if run is not None else "",
        **({} if run is None else _counts(run)),
    }


def _state(versions: Sequence[Version], version: Version, ledger: Ledger, now: datetime) -> str:
    today, entry = now.date(), ledger.get(version.name)
    released = f", released: {entry.reason}" if entry is not None and entry.released is not None else ""
    current = in_force(versions, ledger, today)
    if version is current:
        return f"in force{released}"
    if current is not None and version not in after(versions, current):
        return "past"
    if entry is None:
        return "draft"
    return f"announced{released}" if entry.is_complete else "announced, waiting for its notices"


def _counts(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in COUNTS}
