"""Pruning of records that were kept long enough, and the daily record of expired consents. Pruning deletes a row; its
hash in the tree and a signed note stay.

Rule: if a run dies, the next one completes it, and no key is deleted while a worker may be sealing with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from cookieguard.config import Config
from cookieguard.features.records.acts import acts_of
from cookieguard.features.records.anchors import was_set_back
from cookieguard.features.records.log_reader import opened
from cookieguard.features.records.store.open import signer_of, stores_if_made
from cookieguard.features.records.store.protocol import LogDown, LogStore, Stores
from cookieguard.features.records.store.rows import AgedRow, Window
from cookieguard.features.records.values.consents import AGREEMENT, CONSENT, EXPIRY, GRANTS, MAIL_LIST
from cookieguard.features.records.values.notes import Checkpoint, Signer, read_checkpoint
from cookieguard.features.records.values.pruning import MOST_AT_ONCE, write_pruned
from cookieguard.features.records.values.records import named, read_document
from cookieguard.features.records.values.sealing import SealBroken, digest_of_id, read_about, time_of
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

LONGEST_LIFE = timedelta(days=400)  # of a cookie that ends with the browser (limit of RFC 6265bis)
# A worker that fetched a key has sealed and committed within this time, or failed.
SEALS_FOR = timedelta(hours=1)
FIRST = b"", -1
EARLIEST = time_of(0)
NEVER_CHECKED = EARLIEST, 0
AGREEMENTS_CHECKED, KEYS_CHECKED = "agreements looked at", "keys looked at"
MOST_SWEPT = 5000  # keys that one run checks, in about 50 ms


def life_of(config: Config) -> timedelta:
    """Return how long a consent counts if it is not withdrawn."""
    return timedelta(seconds=config.cookies.consent.max_age) or LONGEST_LIFE


def prune(
    stores: Stores,
    kept_days: Mapping[str, int],
    life: timedelta,
    signer: Signer,
    *,
    now: datetime,
    is_whole: bool = True,
) -> int:
    """Delete the records that were kept long enough; return how many.

    Unless `is_whole`, keys without records stay, since another copy may bring back records that a set-back log lacks.
    """
    count, at, size = 0, _milliseconds(now), stores.log.size()
    for numbers, subjects in _pages(stores, kept_days, life, now):
        stores.subjects.fade(subjects, at)  # before the rows, since afterwards no row names these subjects
        stores.log.remove(numbers, write_pruned(numbers, _tree_over(stores.log, numbers), signer, now=now))
        count += len(numbers)
    if AGREEMENT in kept_days:
        stores.log.change_fact(AGREEMENTS_CHECKED, f"{_limit(now, kept_days[AGREEMENT]).hex()} {size}")
    _forget_faded(stores, _milliseconds(now - SEALS_FOR))
    if is_whole:
        _fade_without_rows(stores, at)
    return count


def prune_log(config: Config, state: StateDirectory, *, environ: Mapping[str, str], now: datetime) -> int:
    """Delete the records that the shop's log has kept long enough; return how many. Raises LogDown."""
    with stores_if_made(config, state.path, environ=environ) as stores:
        name = None if stores is None else stores.log.fact("origin")
        if stores is None or name is None:  # no record yet
            return 0
        signer = signer_of(load_keyring(state, config.keys, environ=environ), name)
        stores.log.add_key(str(signer.key))
        life, is_whole = life_of(config), not was_set_back(state.path, stores.log)
        count = prune(stores, config.proof.kept_days, life, signer, now=now, is_whole=is_whole)
        stores.subjects.wrap_clear_keys()  # a worker from before the upgrade may still have stored some
        stores.subjects.forget(())  # clears the bytes that an erasure left because of a reader
        return count


def _tree_over(log: LogStore, numbers: Sequence[int]) -> Checkpoint:
    """Return the newest checkpoint, which covers these rows: numbering a row signs a checkpoint over it."""
    note = log.checkpoint(at_least=max(numbers) + 1)
    if note is None:
        raise LogDown("no checkpoint covers the rows that are to be deleted; see: cookieguard log verify")
    return read_checkpoint(note)


def has_overdue(stores: Stores, kept_days: Mapping[str, int], life: timedelta, *, now: datetime) -> bool:
    """Return whether `prune` would delete a record."""
    return next(_pages(stores, kept_days, life, now), None) is not None


def _pages(
    stores: Stores, kept_days: Mapping[str, int], life: timedelta, now: datetime
) -> Iterator[tuple[list[int], list[bytes]]]:
    """Yield the numbers of rows that need not be kept any longer, with their subjects, a page at a time."""
    # Few customers change a mail list, so each run opens all of those records.
    checked = {AGREEMENT: _last_check(stores.log), MAIL_LIST: NEVER_CHECKED}
    for kind, days in kept_days.items():
        before = _limit(now, days)
        window = Window(kind, EARLIEST, before, before, same_topic=kind != CONSENT)
        ran_out = _limit(now - life, days)
        for rows in pages_of(stores.log, window):
            if kind == CONSENT:
                due = [row for row in rows if row.is_replaced or row.about < ran_out]
            else:
                due = _ended(stores, rows, checked[kind]) if kind in checked else rows
            if due:
                yield [row.number for row in due], sorted({row.subject for row in due})


def _limit(now: datetime, days: int) -> bytes:
    return time_of(_milliseconds(now.astimezone(UTC) - timedelta(days=days)))


def _last_check(log: LogStore) -> tuple[bytes, int]:
    """Return the time and the number up to which the last run found all remaining agreements in force."""
    before, _, size = (log.fact(AGREEMENTS_CHECKED) or "").partition(" ")
    try:
        return bytes.fromhex(before), int(size)
    except ValueError:  # no run has checked yet
        return NEVER_CHECKED


def pages_of(log: LogStore, window: Window) -> Iterator[list[AgedRow]]:
    """Yield the rows of a window, a page at a time."""
    after = FIRST
    while rows := log.old(window, after, MOST_AT_ONCE):
        yield rows
        after = rows[-1].about, rows[-1].number


def _ended(stores: Stores, rows: Sequence[AgedRow], checked: tuple[bytes, int]) -> list[AgedRow]:
    """Return the agreements that are no longer in force. Each record is opened once to see whether a box was ticked."""
    before, size = checked
    left = [row for row in rows if not row.is_replaced]
    known = {row.number: row.subject for row in left if row.about < before and row.number < size}
    has_key = stores.subjects.with_keys(sorted(set(known.values())))
    stays = {
        row.number
        for row in left
        if (row.subject in has_key if row.number in known else _is_given(stores, row))
    }
    return [row for row in rows if row.number not in stays]


def _is_given(stores: Stores, row: AgedRow) -> bool:
    """Return whether an agreement is in force. After an erasure the record cannot be read, so it is not."""
    try:
        found = next(
            opened(stores, full) for full in stores.log.rows_of(row.subject) if full.number == row.number
        )
    except (SealBroken, StopIteration):  # `log verify` reports the row
        return True
    return bool(found.record) and read_document(found.record).get("cg:given") is True


def _forget_faded(stores: Stores, before: int) -> None:
    """Delete the keys of subjects an hour after their last record was deleted."""
    faded = stores.subjects.faded(before)
    for at in range(0, len(faded), MOST_AT_ONCE):
        some: Sequence[bytes] = faded[at : at + MOST_AT_ONCE]
        without = set(stores.log.without_rows(some))
        stores.subjects.end_fading([id_ for id_ in some if id_ not in without], before, forgets=False)
        stores.subjects.end_fading(sorted(without), before, forgets=True)


def _fade_without_rows(stores: Stores, now: int) -> None:
    """Note keys without rows, which a restored copy can bring back. Each run checks the next MOST_SWEPT keys."""
    after = bytes.fromhex(stores.log.fact(KEYS_CHECKED) or "")
    some = stores.subjects.after(after, MOST_SWEPT)
    fading = set(stores.subjects.faded(now + 1))  # noted already; a second note would restart their hour
    without = [subject for subject in stores.log.without_rows(some) if subject not in fading]
    if without:
        stores.subjects.fade(without, now)
    stores.log.change_fact(KEYS_CHECKED, some[-1].hex() if len(some) == MOST_SWEPT else "")


def _milliseconds(moment: datetime) -> int:
    return max(0, int(moment.timestamp() * 1000))


DAYS_BACK = 31  # days that are recorded later if no worker of the shop ran


def record_expiries(
    config: Config, state: StateDirectory, *, environ: Mapping[str, str], now: datetime
) -> int:
    """Write a record for each past day on which consents expired; return 0, since no record is deleted. Raises LogDown.

    Each consent's own record says until when it counts. So one record a day is enough, and it names no visitor; a
    record for each guest would double the log. The day gives the id, so that only the first worker writes the record.
    """
    # The records of earlier days may have been pruned already.
    days = min(DAYS_BACK, config.proof.kept_days.get(EXPIRY, DAYS_BACK))
    with stores_if_made(config, state.path, environ=environ) as stores:
        due = [] if stores is None else list(_days_without_record(stores.log, life_of(config), now, days))
    if not due:
        return 0
    keyring = load_keyring(state, config.keys, environ=environ)
    with acts_of(config, state, keyring, environ=environ, clock=lambda: now) as acts:
        for day, count in due:
            if acts is not None:
                acts.append(EXPIRY, {"day": str(day), "ranOut": dict(count)}, once=str(day))
    return 0


def _days_without_record(
    log: LogStore, life: timedelta, now: datetime, days: int
) -> Iterator[tuple[date, Counter[str]]]:
    today = now.astimezone(UTC).date()
    for back in range(days, 0, -1):
        day = today - timedelta(days=back)
        if log.row(digest_of_id(named(EXPIRY, str(day)))) is None:
            count = ran_out(log, day, life)
            if count:
                yield day, count


def ran_out(log: LogStore, day: date, life: timedelta) -> Counter[str]:
    """Return how many consents expired on a day (UTC), by their event. Replaced consents are not counted."""
    begins = datetime.combine(day, time(), UTC)
    ends = begins + timedelta(days=1)
    since, until = (time_of(max(0, int((edge - life).timestamp() * 1000))) for edge in (begins, ends))
    window = Window(CONSENT, since, until, time_of(int(ends.timestamp() * 1000)), same_topic=False)
    kept = (row for rows in pages_of(log, window) for row in rows if not row.is_replaced)
    topics = (read_about(row.about)[0].partition(":")[2] for row in kept)
    return Counter(topic for topic in topics if topic in GRANTS)
