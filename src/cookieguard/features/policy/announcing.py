"""Announce a policy version, note how far its mails came, or release it without them; each changes the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cookieguard.config.loading.checks import require_text
from cookieguard.errors import AnnouncementRefused
from cookieguard.features.policy.ledger import change_ledger, read_ledger
from cookieguard.features.policy.values.ledger import Announcement, Ledger, files_of
from cookieguard.features.policy.values.versions import Version, first_day, require_unaltered
from cookieguard.features.records.acts import Acts
from cookieguard.identity.staff_token import Member
from cookieguard.mail.runs import Run
from cookieguard.storage.store.protocol import Store


def find_version(versions: Sequence[Version], name: str) -> Version:
    """Return a version by name; raises AnnouncementRefused."""
    found = next((version for version in versions if version.name == name), None)
    if found is None:
        names = ", ".join(version.name for version in versions)
        raise AnnouncementRefused(f"there is no version {name[:40]!r} in policy.folder; there are: {names}")
    return found


def announce(
    store: Store,
    versions: Sequence[Version],
    version: Version,
    *,
    now: datetime,
    notice_days: int,
    record: Acts,
) -> Ledger:
    """Note that a version is announced, after which its files must not change. It can be repeated."""

    def noted(before: Ledger) -> Ledger:
        require_unaltered(versions, files_of(before))
        entry = before.get(version.name)
        if entry is not None and entry.forgotten is not None:  # all customers would get a second notice
            raise AnnouncementRefused(
                f"{version.name} was announced, and the list of who was told was deleted on "
                f"{entry.forgotten:%Y-%m-%d} (mail.keep_days); announce the next version"
            )
        if entry is not None:
            return before
        _require_notice(versions, version, now, notice_days)
        earliest = now.date() + timedelta(days=notice_days)
        return {**before, version.name: Announcement(files=version.files, at=now, earliest=earliest)}

    before = read_ledger(store)
    if noted(before) != before:  # first into the log, so that pages show no announcement without a proof
        fields = {"version": version.name, "effective": str(version.effective), "text": version.digest}
        record.append("policy-announced", fields, once=f"{version.name} {version.digest}")
    return change_ledger(store, noted)


def complete(
    store: Store, version: Version, run: Run, *, now: datetime, notice_days: int, record: Acts
) -> Ledger:
    """Note how many notices of a version were sent; once all were, it only waits for its day and the notice period.

    The period begins when the last notice is noted as sent or refused. Customers who come later do not prolong it,
    and a version in force stays in force.
    """
    name = version.name

    def noted(before: Ledger) -> Ledger:
        entry = before[name]
        is_in_force = entry.released is not None and first_day(version, entry) <= now.date()
        is_later = run.sent + run.refused > entry.run.sent + entry.run.refused
        earliest = entry.earliest
        if entry.completed is None and not is_in_force and (is_later or earliest is None):
            earliest = now.date() + timedelta(days=notice_days)
        completed = now if run.is_complete and entry.completed is None else entry.completed
        return {**before, name: replace(entry, run=run, completed=completed, earliest=earliest)}

    if run.is_complete and read_ledger(store)[name].completed is None:
        fields = {"total": run.total, "sent": run.sent, "refused": run.refused, "uncertain": run.uncertain}
        record.append("policy-told", {"version": name, **fields}, once=name)
    return change_ledger(store, noted)


def release(
    store: Store, version: Version, reason: str, *, by: Member, now: datetime, record: Acts
) -> Ledger:
    """Let a version take effect after the notice period though notices are missing, and keep member and reason.

    Raises AnnouncementRefused for a version that was not announced, because no customer could know its text and day.
    """
    require_text("--reason", reason)
    if version.name not in read_ledger(store):
        raise AnnouncementRefused(
            f"{version.name} was not announced, and a release replaces missing notices, not the announcement; "
            f"run: cookieguard policy announce {version.name}"
        )

    def noted(before: Ledger) -> Ledger:
        return {**before, version.name: replace(before[version.name], reason=reason, released=now)}

    fields = {
        "version": version.name,
        "text": version.digest,
        "reason": reason,
        "by": by.name,
        "role": by.role,
    }
    record.append("policy-released", fields, once=f"{version.name} {version.digest} {reason} {by.name}")
    return change_ledger(store, noted)


def _require_notice(versions: Sequence[Version], version: Version, now: datetime, days: int) -> None:
    today = now.date()
    if version is versions[0]:
        raise AnnouncementRefused(f"{version.name} is the first version, so there is no change to announce")
    if today < version.announced:
        raise AnnouncementRefused(
            f"{version.name} gives {version.announced} as the day it is announced; announce it on that day"
        )
    if version.effective - today < timedelta(days=days):
        raise AnnouncementRefused(
            f"{version.name} takes effect on {version.effective}, in {(version.effective - today).days} days; allowed: "
            f"{days} days or more (policy.notice_days). Give it a later day"
        )
