"""The findings of `cookieguard doctor` about the consent log: its tree, keys, texts, growth, erasures and pruning."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop, remembered
from cookieguard.features.records.anchors import KEPT, NEWEST, continues, read_newest
from cookieguard.features.records.choice_budget import DAY_BYTES, spent_today
from cookieguard.features.records.erasure_journal import due_erasures
from cookieguard.features.records.store.open import (
    ANYWHERE,
    Place,
    open_log_store,
    open_subject_store,
    place_of,
)
from cookieguard.features.records.store.protocol import LogNotMade, Stores
from cookieguard.features.records.text_check import changed_texts
from cookieguard.features.records.upkeep.pruning import has_overdue, life_of
from cookieguard.features.records.values.notes import NoteError, read_checkpoint
from cookieguard.features.records.values.tiles import tree_root

# The hourly job prunes records, but waits for a day after a jump of the clock.
OVERDUE = timedelta(days=2)
LEAST_DAYS = 14  # of warning before the disk is full
MB = 1_000_000
FLOOD = "find the flood in the access log, and block it in front of the shop; if it is your proxy, set trusted_proxies"
NO_ROOM = f"free some space: at this rate the disk is full in less than {LEAST_DAYS} days"
LOST_KEYS = "unless everybody was erased, restore subjects.db from a backup; without it no record can be read"
VERIFY = "run: cookieguard log verify"
BEGIN_ANEW = "set origins; if no visitor has chosen yet, begin a new log (docs/proof.md, The log's name)"


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield the findings on the log and on its subjects' keys; raises LogDown."""
    if not shop.config.proof.enabled:
        yield Finding("consent log", "switched off: no choice is recorded")
        return
    place = place_of(shop.config, shop.state, environ=shop.environ)
    try:
        if place.log_file is not None and not place.log_file.exists():
            raise LogNotMade
        yield from _log(place, shop)
    except LogNotMade:
        lost = (shop.state / NEWEST).exists()
        mend = "restore it from a backup; the checkpoint beside it says how long it was" if lost else ""
        yield Finding(
            "consent log", "it is gone" if lost else "not there yet: the first choice creates it", mend
        )
        return
    yield _growth(shop)
    yield _erasures(place)
    yield _check_overdue(shop, place)


def _log(place: Place, shop: Shop) -> Iterator[Finding]:
    state = shop.state
    kept_note = read_newest(state)  # read before the log, since a worker may append to it meanwhile
    log = open_log_store(place.log, make=False)
    try:
        with log.snapshot():  # a worker may number records meanwhile
            size, note, rows = log.size(), log.checkpoint(), log.unnumbered()
            name = log.fact("origin") or ""
            changed = remembered(shop, f"texts {place.log}", None, lambda: changed_texts(log))
            is_older = kept_note is not None and not continues(kept_note, log)
            is_sound = note is None or read_checkpoint(note).root == tree_root(log.tile, size)
        waiting = [row for row in rows if row.number is None]
        refused = [row for row in rows if row.number is not None]
    except (NoteError, ValueError):
        yield Finding("consent log", "its tree differs from the one that was signed", VERIFY)
        return
    finally:
        log.close()
    with closing(open_subject_store(place, make=False)) as subjects:
        if size and not subjects.after(b"", 1):
            yield Finding("subjects' keys", f"there are none, but the log has {size} entries", "", LOST_KEYS)
    if changed:
        told = f"{len(changed)} texts that were shown were changed in its store, such as {changed[0]}"
        yield Finding("consent log's texts", told, VERIFY)
    told = f"{size} entries, {len(waiting)} of them waiting for a number"
    mend = "" if is_sound and not refused else VERIFY
    yield Finding("consent log", told + (f", {len(refused)} that no worker wrote" if refused else ""), mend)
    if name.startswith(f"{ANYWHERE}/"):
        yield Finding("consent log's name", f"{name}: origins was empty at the first choice", "", BEGIN_ANEW)
    kept = sorted(path.name for path in state.iterdir() if KEPT.fullmatch(path.name) and path.name != NEWEST)
    if is_older:
        told = f"the log was set back or replaced: {size} entries are not all that {NEWEST} names"
        yield Finding("consent log's past", told, VERIFY)
    if kept:
        mend = f"{VERIFY}; once you know why, move these files elsewhere"
        yield Finding("consent log's past", f"the log was set back or replaced: {', '.join(kept)}", mend)


def _growth(shop: Shop) -> Finding:
    """Return the finding on today's growth: the bytes added, networks at their limit, and a disk that fills up."""
    added, used_up = spent_today(shop.config.runtime_dir, shop.state, shop.now)
    told = f"choices added about {added // MB} MB today (UTC) on this machine"
    if used_up:
        told += (
            f"; {used_up} networks used up their {DAY_BYTES // MB} MB, and their grants wait until midnight"
        )
        return Finding("consent log's growth", told, FLOOD)
    is_full_soon = shutil.disk_usage(shop.state).free < LEAST_DAYS * added
    return Finding("consent log's growth", told, NO_ROOM if is_full_soon else "")


def _erasures(place: Place) -> Finding:
    with closing(open_subject_store(place, make=False)) as subjects:
        due = len(due_erasures(subjects, place.erasures))
    if due:
        told = f"{due} persons who were erased came back with a backup"
        return Finding("erasures", told, "restart the shop's workers, or run: cookieguard log erase --again")
    return Finding("erasures", "every erasure in the journal is done")


def _check_overdue(shop: Shop, place: Place) -> Finding:
    """Return the finding on records that the hourly job should have pruned days ago."""
    config = shop.config
    if not config.proof.kept_days:
        return Finding("records kept", "all, for good")
    stores = Stores(open_log_store(place.log, make=False), open_subject_store(place, make=False))
    with closing(stores):
        is_late = has_overdue(stores, config.proof.kept_days, life_of(config), now=shop.now - OVERDUE)
    if is_late:
        return Finding("records kept", "some are older than proof.keep allows", "run: cookieguard log prune")
    days = ", ".join(f"{kind} {count} days" for kind, count in sorted(config.proof.kept_days.items()))
    return Finding("records kept", f"{days}, counted from the end of what they show")
