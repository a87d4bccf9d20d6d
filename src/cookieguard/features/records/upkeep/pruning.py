"""Records of agreements that ran out, and letting go of records that were kept long enough: the row goes, its hash in
the tree and a signed note stay.

Rule: whatever dies in between, the next run does the rest, and no key goes that somebody may be sealing with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from cookieguard.config import Config
from cookieguard.features.records.acts import acts_of, named
from cookieguard.features.records.anchors import was_set_back
from cookieguard.features.records.log_reader import opened
from cookieguard.features.records.store.open import signer_of, stores_if_made
from cookieguard.features.records.store.protocol import LogDown, LogStore, Stores
from cookieguard.features.records.store.rows import Old, Window
from cookieguard.features.records.values.consents import AGREEMENT, CONSENT, EXPIRY, GRANTS, MAIL_LIST
from cookieguard.features.records.values.notes import Checkpoint, Signer, read_checkpoint
from cookieguard.features.records.values.pruning import MOST_AT_ONCE, write_pruned
from cookieguard.features.records.values.records import read_document
from cookieguard.features.records.values.sealing import SealBroken, digest_of_id, read_about, time_of
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

LONGEST_LIFE = timedelta(days=400)  # of a cookie (RFC 6265bis), where it ends with the browser
# A worker that asked for a key has sealed and committed by then, or failed.
SEALS_FOR = timedelta(hours=1)
FIRST = b"", -1
EARLIEST = time_of(0)
NEVER_LOOKED = EARLIEST, 0
LOOKED, SWEPT = "agreements looked at", "keys looked at"
MOST_SWEPT = 5000  # keys of one run: some 50 ms


def life_of(config: Config) -> timedelta:
    """Return how long a consent counts that nobody takes back."""
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
    """Let go of what was kept long enough; return how many records.

    Unless `is_whole`, keys without records stay: a log that was set back lacks records that a copy may bring back.
    """
    count, at, size = 0, _milliseconds(now), stores.log.size()
    for numbers, subjects in _pages(stores, kept_days, life, now):
        stores.subjects.fade(subjects, at)  # first: a row that is gone names nobody to look for
        stores.log.remove(numbers, write_pruned(numbers, _tree_over(stores.log, numbers), signer, now=now))
        count += len(numbers)
    if AGREEMENT in kept_days:
        stores.log.change_fact(LOOKED, f"{_limit(now, kept_days[AGREEMENT]).hex()} {size}")
    _forget_faded(stores, _milliseconds(now - SEALS_FOR))
    if is_whole:
        _fade_without_rows(stores, at)
    return count


def prune_log(config: Config, state: StateDirectory, *, environ: Mapping[str, str], now: datetime) -> int:
    """Let go of what the shop's log has kept long enough; return how many records. Raises LogDown."""
    with stores_if_made(config, state.path, environ=environ) as stores:
        name = None if stores is None else stores.log.fact("origin")
        if stores is None or name is None:  # no record yet
            return 0
        signer = signer_of(load_keyring(state, config.keys, environ=environ), name)
        stores.log.add_key(str(signer.key))
        life, is_whole = life_of(config), not was_set_back(state.path, stores.log)
        count = prune(stores, config.proof.kept_days, life, signer, now=now, is_whole=is_whole)
        stores.subjects.wrap_clear_keys()  # of a worker that has run since before the upgrade
        stores.subjects.forget(())  # what an erasure could not clear away while somebody read
        return count


def _tree_over(log: LogStore, numbers: Sequence[int]) -> Checkpoint:
    """Return the newest checkpoint; a row gets its number along with one that is over it."""
    note = log.checkpoint(at_least=max(numbers) + 1)
    if note is None:
        raise LogDown("no checkpoint covers the rows that are to be deleted; see: cookieguard log verify")
    return read_checkpoint(note)


def has_overdue(stores: Stores, kept_days: Mapping[str, int], life: timedelta, *, now: datetime) -> bool:
    """Return whether something is there that `prune` would let go."""
    return next(_pages(stores, kept_days, life, now), None) is not None


def _pages(
    stores: Stores, kept_days: Mapping[str, int], life: timedelta, now: datetime
) -> Iterator[tuple[list[int], list[bytes]]]:
    """Yield the numbers of rows that are not kept any longer, some at a time, and their subjects."""
    # Few customers change a list, so all of those records are opened each time
    looked = {AGREEMENT: _looked(stores.log), MAIL_LIST: NEVER_LOOKED}
    for kind, days in kept_days.items():
        before = _limit(now, days)
        window = Window(kind, EARLIEST, before, before, same_topic=kind != CONSENT)
        ran_out = _limit(now - life, days)
        for rows in pages_of(stores.log, window):
            if kind == CONSENT:
                due = [one for one in rows if one.is_replaced or one.about < ran_out]
            else:
                due = _ended(stores, rows, looked[kind]) if kind in looked else rows
            if due:
                yield [one.number for one in due], sorted({one.subject for one in due})


def _limit(now: datetime, days: int) -> bytes:
    return time_of(_milliseconds(now.astimezone(UTC) - timedelta(days=days)))


def _looked(log: LogStore) -> tuple[bytes, int]:
    """Return before which time, and below which number, all agreements that are left were found in force."""
    before, _, size = (log.fact(LOOKED) or "").partition(" ")
    try:
        return bytes.fromhex(before), int(size)
    except ValueError:  # never looked
        return NEVER_LOOKED


def pages_of(log: LogStore, window: Window) -> Iterator[list[Old]]:
    """Yield the rows of a window, some at a time."""
    after = FIRST
    while rows := log.old(window, after, MOST_AT_ONCE):
        yield rows
        after = rows[-1].about, rows[-1].number


def _ended(stores: Stores, rows: Sequence[Old], looked: tuple[bytes, int]) -> list[Old]:
    """Return the agreements that are in force no more. To see whether a box was ticked each is opened, once."""
    before, size = looked
    left = [one for one in rows if not one.is_replaced]
    known = {one.number: one.subject for one in left if one.about < before and one.number < size}
    has_key = stores.subjects.with_keys(sorted(set(known.values())))
    stays = {
        one.number
        for one in left
        if (one.subject in has_key if one.number in known else _is_given(stores, one))
    }
    return [one for one in rows if one.number not in stays]


def _is_given(stores: Stores, row: Old) -> bool:
    """Return whether an agreement is in force; one whose person was erased shows nothing any more."""
    try:
        found = next(
            opened(stores, one) for one in stores.log.rows_of(row.subject) if one.number == row.number
        )
    except (SealBroken, StopIteration):  # `log verify` tells of it
        return True
    return bool(found.record) and read_document(found.record).get("cg:given") is True


def _forget_faded(stores: Stores, before: int) -> None:
    """Remove the keys of subjects whose last record went, an hour after it did."""
    faded = stores.subjects.faded(before)
    for at in range(0, len(faded), MOST_AT_ONCE):
        some: Sequence[bytes] = faded[at : at + MOST_AT_ONCE]
        without = set(stores.log.without_rows(some))
        stores.subjects.end_fading([one for one in some if one not in without], before, forgets=False)
        stores.subjects.end_fading(sorted(without), before, forgets=True)


def _fade_without_rows(stores: Stores, now: int) -> None:
    """Note some of the keys that no row needs, which an older copy brings back; the next run looks at others."""
    after = bytes.fromhex(stores.log.fact(SWEPT) or "")
    some = stores.subjects.after(after, MOST_SWEPT)
    fading = set(stores.subjects.faded(now + 1))  # their hour does not begin anew
    without = [one for one in stores.log.without_rows(some) if one not in fading]
    if without:
        stores.subjects.fade(without, now)
    stores.log.change_fact(SWEPT, some[-1].hex() if len(some) == MOST_SWEPT else "")


def _milliseconds(moment: datetime) -> int:
    return max(0, int(moment.timestamp() * 1000))


LOOKS_BACK = 31  # days for which no worker of the shop ran


def record_expiries(
    config: Config, state: StateDirectory, *, environ: Mapping[str, str], now: datetime
) -> int:
    """Record each day that is over and on which consents ran out; return 0, for nothing goes. Raises LogDown.

    Each consent's own record says until when it counts. So one record a day suffices, which names no visitor; one for
    each guest would double the log. The worker that comes first writes it, under the day's name.
    """
    # Of days before that the record itself was kept long enough, and went
    days = min(LOOKS_BACK, config.proof.kept_days.get(EXPIRY, LOOKS_BACK))
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
    """Count the consents that counted to the end of their life, on a day (UTC), by what they granted."""
    begins = datetime.combine(day, time(), UTC)
    ends = begins + timedelta(days=1)
    since, until = (time_of(max(0, int((one - life).timestamp() * 1000))) for one in (begins, ends))
    window = Window(CONSENT, since, until, time_of(int(ends.timestamp() * 1000)), same_topic=False)
    kept = (one for rows in pages_of(log, window) for one in rows if not one.is_replaced)
    topics = (read_about(one.about)[0].partition(":")[2] for one in kept)
    return Counter(topic for topic in topics if topic in GRANTS)
