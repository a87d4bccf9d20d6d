"""Checks and tasks of the policy: changed texts, the version in force, and versions whose notices are due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date
from functools import partial
from pathlib import Path

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop, remembered
from cookieguard.features.outbox.outbox import FILE_ENDING, outbox_opener
from cookieguard.features.policy.announcement_run import run_of
from cookieguard.features.policy.folder import read_folder, stamp_of, told_of
from cookieguard.features.policy.kept_texts import read_kept
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.values.ledger import Announcement, Ledger
from cookieguard.features.policy.values.versions import Version, after, all_upcoming, dated, in_force
from cookieguard.mail.runs import Run
from cookieguard.storage.store.open import store_file, store_opener

PAGE = "policies"
BRING_BACK = "restore the text that was published; a change needs a new version"
ANNOUNCE = "run: cookieguard policy announce {name}"
SEND = "run: cookieguard policy send, then look at: cookieguard policy status"
RELEASE = (
    "; inform customers whom mail cannot reach in another way, then run: cookieguard policy release {name}"
)


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield the version in force, changed texts and late notices; raises CookieGuardError and StoreDown."""
    policy, today = shop.config.policy, shop.now.astimezone(UTC).date()
    if policy.folder:
        yield from _folder(shop, today)
        return
    since = "from the start" if policy.effective is None else f"from {policy.effective}"
    if policy.effective is not None and policy.effective > today:
        since += ", not in force yet: all visitors are asked again on that day"
    yield Finding("policy", f"version {policy.version}, {since}")


def _folder(shop: Shop, today: date) -> Iterator[Finding]:
    with closing(
        store_opener(shop.config, shop.state, environ=shop.environ, keyring=shop.keyring)()
    ) as store:
        ledger = read_ledger(store)
    config, folder = shop.config, Path(shop.config.policy.folder)
    kept = partial(read_kept, config, shop.state, ledger, environ=shop.environ)
    stamp = ledger, stamp_of(folder) if folder.exists() else ()
    texts, refused = remembered(shop, f"policy {shop.state}", stamp, lambda: read_folder(config, kept()))
    versions = dated(texts, ledger, today, shop.config.policy.notice_days)
    if refused:
        told = f"{told_of(refused)}; the shop serves the text in the consent log"
        task = "Restore the policy text that was published"
        yield Finding("policy texts", told, BRING_BACK, task=task, page=PAGE)
    current = in_force(versions, ledger, today)
    found = "no version is in force yet" if current is None else f"version {current.name} is in force"
    yield Finding("policy", f"{found}; {len(versions)} in the folder")
    for version in all_upcoming(versions, ledger, today):
        yield _next(shop, version, texts[versions.index(version)].effective, ledger[version.name], today)
    yield from _forgotten(after(versions, current), ledger, today)


def _next(shop: Shop, version: Version, in_text: date, entry: Announcement, today: date) -> Finding:
    """Report an announced version: its day, how many notices were sent, and the next step."""
    run = run_so_far(shop, version, entry)
    is_late, is_stuck = version.effective > in_text, run.is_filled and not run.waiting
    told = (
        f"{version.name} takes effect on {version.effective}{'' if entry.is_complete else ' at the earliest'}"
    )
    if is_late:
        told += f", not on {in_text} as its text says, since the notice period runs from the last notice"
    told += f"; notices: {run.summary}"
    if entry.is_complete:
        return Finding("next policy", told, day=version.effective)
    mend = SEND + (RELEASE.format(name=version.name) if is_late or is_stuck else "")
    is_over, task = in_text <= today, f"Send the notices of policy {version.name}"
    mend, advice = (mend, "") if is_over else ("", mend)
    return Finding("next policy", told, mend, advice, in_text, task=task, page=PAGE)


def _forgotten(versions: Sequence[Version], ledger: Ledger, today: date) -> Iterator[Finding]:
    """Yield the versions whose day of announcement has come, but which were not announced."""
    for new in versions:
        if new.announced <= today and new.name not in ledger:
            mend = ANNOUNCE.format(name=new.name)
            is_today = new.announced == today
            told = f"{new.name} {'is to be announced today' if is_today else f'was not announced on {new.announced}'}"
            mend, advice = ("", mend) if is_today else (mend, "")
            task = f"Announce policy {new.name}"
            yield Finding("unannounced policy", told, mend, advice, new.announced, task=task, page=PAGE)


def run_so_far(shop: Shop, version: Version, entry: Announcement) -> Run:
    """Return the counts of a version's notices, from the outbox until that deletes them, then from the ledger."""
    place = shop.config.store, shop.state
    file = store_file(*place, FILE_ENDING, environ=shop.environ)
    if entry.forgotten is not None or (file is not None and not file.exists()):
        return entry.run
    with closing(outbox_opener(*place, environ=shop.environ)()) as outbox:
        return outbox.count(run_of(version))
