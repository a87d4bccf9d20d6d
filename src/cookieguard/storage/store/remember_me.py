"""Reads and writes the remember-me series of browsers in the store, in the store's thread.

Rule: a series is written only over the version that was read. If two workers do so at once, one of them starts again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.remember_me import Outcome, Series, series_of
from cookieguard.identity.revocations import UNHEARD, Revocation, to_milliseconds_of
from cookieguard.storage.store.protocol import Store, StoreDown, StoredValue

SERIES_NAMESPACE = "remember"
BROWSERS_NAMESPACE = "browsers"  # by customer: the keys of their series
WARNING_NAMESPACE = "warning"  # by customer: when a copy was noticed
MOST_BROWSERS = 20  # remembered per customer; beyond that the one unused for longest is forgotten
TRIES = 10  # attempts while other workers write first, for parallel requests of one browser
Step = Callable[[Series], tuple[Outcome, Series]]


class Turn(NamedTuple):
    """The outcome of presenting a number, with the series as it is now if the number is good."""

    outcome: Outcome
    series: Series | None = None


class StoreUpdate(NamedTuple):
    """The changes of one response: series to forget, one to begin, and a warning to look up or to forget."""

    left: Mapping[str, str]  # the keys of series to forget, and the customer of each
    begun: tuple[str, Series] | None
    customer: str | None
    shown: int | None


class Done(NamedTuple):
    """The result of an update: when a copy was noticed, if the customer has not seen the warning yet."""

    warned: int | None


def turn(store: Store, *, key: str, step: Step, revocation: Revocation) -> Turn:
    """Apply a step to a series, and end the series if the step shows a copy. Raises StoreDown after TRIES conflicts."""
    for _ in range(TRIES):
        kept = store.read(SERIES_NAMESPACE, key)
        series = None if kept is None else series_of(kept.value)
        if kept is None or series is None:
            return Turn(Outcome.OVER)
        outcome, after = step(series)
        if outcome is not Outcome.GOOD:
            if outcome is Outcome.COPY:
                _warn_of(store, series, revocation)
            store.erase(SERIES_NAMESPACE, key)
            return Turn(outcome)
        if after is series or _write(store, key, after, after=kept.version):
            return Turn(outcome, after)
    raise StoreDown("others changed this remember-me series at every try")


def run(store: Store, update: StoreUpdate) -> Done:
    """Carry out an update and return its result."""
    for key in update.left:
        store.erase(SERIES_NAMESPACE, key)
    if update.begun is not None:
        _begin(store, *update.begun)
    return Done(None if update.customer is None else _warning(store, update.customer, update.shown))


def _begin(store: Store, key: str, series: Series) -> None:
    """Keep a series, and erase the customer's oldest beyond MOST_BROWSERS, so that repeated logins do not add up."""
    _write(store, key, series, after=0)
    try:
        gone = _make_room(store, key, series)
    except StoreDown:
        store.erase(SERIES_NAMESPACE, key)
        raise
    for surplus in gone:
        store.erase(SERIES_NAMESPACE, surplus)


def _make_room(store: Store, key: str, series: Series) -> list[str]:
    """Add a series to its customer's list, and return the keys of those beyond the limit."""
    for _ in range(TRIES):
        kept = store.read(BROWSERS_NAMESPACE, series.customer)
        keys, gone = [*_keys(kept), key], list[str]()
        if len(keys) > MOST_BROWSERS:
            used = _last_used(store, keys)
            keys = sorted(used, key=used.__getitem__)
            gone, keys = keys[:-MOST_BROWSERS], keys[-MOST_BROWSERS:]
        value, until = jsontext.encode({"k": keys}), series.ends + to_milliseconds_of(UNHEARD)
        if kept is not None:
            until = max(until, kept.until)
        after = 0 if kept is None else kept.version
        if store.write(BROWSERS_NAMESPACE, series.customer, value, until=until, after=after):
            return gone
    raise StoreDown("other logins of this customer came in between at every try")


def _keys(kept: StoredValue | None) -> list[str]:
    return [] if kept is None else list(jsontext.decode(kept.value)["k"])


def _last_used(store: Store, keys: list[str]) -> dict[str, int]:
    """Return when each series that still exists was last used."""
    rows = ((key, store.read(SERIES_NAMESPACE, key)) for key in keys)
    found = ((key, series_of(row.value)) for key, row in rows if row is not None)
    return {key: series.rotated for key, series in found if series is not None}


def _warn_of(store: Store, series: Series, revocation: Revocation) -> None:
    """Keep a warning for the customer of a copied series, and end its sessions, before the series is erased.

    In this order a crash in between does no harm, because the copy is noticed again while the series exists.
    """
    store.write(WARNING_NAMESPACE, series.customer, str(revocation.at).encode(), until=revocation.until)
    store.record([revocation._replace(owner=series.customer)])


def _warning(store: Store, customer: str, shown: int | None) -> int | None:
    kept = store.read(WARNING_NAMESPACE, customer)
    if kept is None:
        return None
    moment = int(kept.value) if kept.value.isdigit() else 0
    if moment and (shown is None or moment > shown):
        return moment
    store.erase(WARNING_NAMESPACE, customer)
    return None


def _write(store: Store, key: str, series: Series, *, after: int) -> int:
    until = series.ends + to_milliseconds_of(UNHEARD)
    return store.write(SERIES_NAMESPACE, key, series.encode(), until=until, after=after)
