"""Numbering what waits: one transaction puts rows into the tree and signs the checkpoint over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hmac import compare_digest

from cookieguard.errors import CookieGuardError
from cookieguard.features.records.store.protocol import LogStore, UnsequencedRecord
from cookieguard.features.records.values.merkle import leaf_hash
from cookieguard.features.records.values.notes import Checkpoint, Signer, read_checkpoint
from cookieguard.features.records.values.sealing import mac_of
from cookieguard.features.records.values.tiles import grow, tree_root

AT_ONCE = 1000  # rows; the others may write in between


class LogBroken(CookieGuardError):
    """Say that the tree is not the one that was signed: nothing more is signed until somebody looked."""


def sequence(store: LogStore, signer: Signer, mac_key: bytes, *, count: int = AT_ONCE) -> int:
    """Number rows that wait and sign the new checkpoint; return how many waited.

    Returns 0 where another worker is at it. Raises LogBroken rather than sign on top of a tree that was changed.
    """
    with store.lease() as has_lease:
        waiting = store.waiting(count) if has_lease else []
        if not waiting:
            return 0
        ours = [one for one in waiting if compare_digest(mac_of(one.entry, mac_key), one.mac)]
        if len(ours) < len(waiting):
            known = {one.place for one in ours}
            store.refuse([one.place for one in waiting if one.place not in known])
        doubled = set(_doubled(store, ours))
        if doubled:
            store.drop(sorted(doubled))
            ours = [one for one in ours if one.place not in doubled]
        if ours:
            _append(store, signer, [one.place for one in ours], [leaf_hash(one.entry) for one in ours])
    return len(waiting)


def _doubled(store: LogStore, waiting: Sequence[UnsequencedRecord]) -> Iterator[int]:
    """Yield the places of records that are there by their ids: two workers saw one cookie, or a commit was repeated."""
    seen = store.numbered([one.id for one in waiting])
    for one in waiting:
        if one.id in seen:
            yield one.place
        seen.add(one.id)


def _append(store: LogStore, signer: Signer, places: list[int], leaves: list[bytes]) -> None:
    size = store.size()
    _require_signed(store, size)
    try:
        changed = grow(store.tile, size, leaves)
        after = size + len(leaves)
        root = tree_root(lambda level, index: changed.get((level, index)) or store.tile(level, index), after)
    except ValueError as error:
        raise LogBroken(f"the tree cannot be continued: {error}") from error
    store.number(places, size)
    store.put_tiles(changed)
    store.put_checkpoint(after, signer.sign(str(Checkpoint(signer.name, after, root))))


def _require_signed(store: LogStore, size: int) -> None:
    if not size:
        return
    note = store.checkpoint(at_least=size)
    try:
        is_signed = note is not None and read_checkpoint(note).root == tree_root(store.tile, size)
    except ValueError as error:
        raise LogBroken(f"the tree cannot be continued: {error}") from error
    if not is_signed:
        raise LogBroken(
            f"the tree of {size} entries is not the one that was signed; see: cookieguard log verify"
        )
