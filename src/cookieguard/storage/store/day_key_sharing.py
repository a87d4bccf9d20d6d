"""Machines of a shop agree on the keys of a day through their store: each machine gets the key in a box of its own.

Rule: what the store holds opens with the private half of a machine alone. That half lies where the key lies, in memory,
and goes with its day. Nothing here is asked by a request: the store's thread looks, and until it has an answer a
machine counts with a key of its own.
"""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple

from cookieguard.config.store import StoreSettings
from cookieguard.keyring import Keyring, length_prefixed
from cookieguard.stats.sealed_box import KEY_BYTES, open_sealed, public_half, seal_box
from cookieguard.storage.day_keys import GRACE, DayKeys, end_of
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.storage.store.sync import StoreSync

logger = logging.getLogger("cookieguard")

NAMESPACE = "day-keys"
PAIR = "pair"  # the use of the private halves is that of their keys, and this
LOOK_SECONDS = 1.0
# So long a machine waits for one that has the key; then all of those are gone, and its own key is the day's.
TIMEOUT_SECONDS = 30.0
MOST_MACHINES = 200  # a day and use, a machine counted again after each reboot; the oldest give way
TRIES = 5  # each loses only to one that won
MAC_SALT, BOX_USE = b"day keys of machines", b"cookieguard day key 1"


class Entry(NamedTuple):
    """Hold what the store has for a public half: a box, empty while the machine asks, and who says so."""

    box: bytes
    key_id: str
    mac: bytes


Table = dict[bytes, Entry]  # by public half, the oldest first


class Agreed(NamedTuple):
    """Hold the key of a day, and what was in the store and in memory as it was found."""

    key: bytes
    text: bytes
    private: bytes


class DayKeySharing:
    """Bring the machines of a shop to one key a day and use; owned by the store's thread.

    The store has one value a day: the table of machines. It is written over the version that was read alone, so all
    boxes in it hold one key. The first machine of a day makes the table, and whoever has a box adds those of others.
    """

    def __init__(
        self, keys: DayKeys, pairs: DayKeys, keyring: Keyring, *, use: str, clock: Callable[[], datetime]
    ) -> None:
        self._keys = keys
        self._pairs = pairs
        self._keyring = keyring
        self._use = use
        self._clock = clock
        self._agreed: dict[date, Agreed] = {}
        self._asked: dict[date, float] = {}
        self._looked = -LOOK_SECONDS
        self._is_told = False

    def look(self, store: Store | None) -> None:
        """Agree on the days in force, once a second at most; None for a store that is down. Never raises."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        now = self._clock().astimezone(UTC)
        days = sorted({now.date(), (now + GRACE).date()})
        self._agreed = {day: one for day, one in self._agreed.items() if day in days}
        self._asked = {day: since for day, since in self._asked.items() if day in days}
        try:
            if store is None:
                raise StoreDown("the store is down")
            for day in days:
                self._follow(store, day)
            self._is_told = self._is_told and not self._agreed.keys() >= {*days}
        except Exception as error:  # noqa: BLE001 - statistics fail open, and the thread serves others; told once
            if not self._is_told and not self._agreed.keys() >= {*days}:
                self._is_told = True
                reason = str(error) if isinstance(error, StoreDown) else type(error).__name__
                logger.warning(
                    "daily %s key: %s; until machines can share it, each uses its own", self._use, reason
                )

    def _follow(self, store: Store, day: date) -> None:
        own, private = self._keys.key(day), self._pairs.key(day)
        if own is None or private is None:
            return
        agreed = self._agree(store, day, own, private)
        if agreed is None:
            return
        if agreed.key != own:
            self._keys.adopt(day, agreed.key)
        self._agreed[day] = agreed
        self._asked.pop(day, None)

    def _agree(self, store: Store, day: date, own: bytes, private: bytes) -> Agreed | None:
        """Return the key of all machines, None while nobody answered; `own` where there was none."""
        for _ in range(TRIES):
            kept = store.read(NAMESPACE, f"{self._use}-{day}")
            text, version = (b"", 0) if kept is None else (kept.value, kept.version)
            known = self._agreed.get(day)
            if known is not None and (known.text, known.private) == (text, private):
                return known
            before = _read(text)
            key, after = self._answered(day, before, own, private)
            written = _write(after)
            until = round(end_of(day).timestamp() * 1000)
            if after != before and not store.write(
                NAMESPACE, f"{self._use}-{day}", written, until=until, after=version
            ):
                continue
            return None if key is None else Agreed(key, written if after != before else text, private)
        return None

    def _answered(self, day: date, table: Table, own: bytes, private: bytes) -> tuple[bytes | None, Table]:
        """Return the key where it is known, and the table with a box for each that asks, or with our question."""
        public = public_half(private)
        genuine = {one: entry for one, entry in table.items() if self._is_genuine(day, one, entry)}
        key = self._opened(day, genuine.get(public), private)
        if key is not None:
            lacking = [one for one, entry in genuine.items() if not entry.box]
        elif any(entry.box for entry in genuine.values()) and self._may_wait(day):
            asks = public not in genuine or genuine[public].box  # a box that does not open is none
            return None, _bounded(table | {public: self._entry(day, public, b"")}) if asks else table
        else:
            key, lacking = own, [*(genuine.keys() - {public}), public]
        boxes = {one: seal_box(key, one, about=self._about(day, one), use=BOX_USE) for one in lacking}
        return key, _bounded(table | {one: self._entry(day, one, box) for one, box in boxes.items()})

    def _may_wait(self, day: date) -> bool:
        now = time.monotonic()
        return now - self._asked.setdefault(day, now) < TIMEOUT_SECONDS

    def _opened(self, day: date, entry: Entry | None, private: bytes) -> bytes | None:
        if entry is None or not entry.box:
            return None
        about = self._about(day, public_half(private))
        try:
            key = open_sealed(entry.box, private, about=about, use=BOX_USE)
        except ValueError:
            return None
        return key if len(key) == KEY_BYTES else None

    def _entry(self, day: date, public: bytes, box: bytes) -> Entry:
        key_id = self._keyring.signing.id
        return Entry(box, key_id, self._mac(key_id, day, public, box) or b"")

    def _is_genuine(self, day: date, public: bytes, entry: Entry) -> bool:
        """Return whether a machine with our keyring wrote it: others who write to the store get and give no key."""
        mac = self._mac(entry.key_id, day, public, entry.box)
        return mac is not None and hmac.compare_digest(entry.mac, mac)

    def _mac(self, key_id: str, day: date, public: bytes, box: bytes) -> bytes | None:
        key = self._keyring.get(key_id)
        if key is None:
            return None
        text = length_prefixed(self._about(day, public), box)
        return hmac.digest(self._keyring.derive(key, MAC_SALT), text, "sha256")

    def _about(self, day: date, public: bytes) -> bytes:
        return length_prefixed(self._use.encode(), str(day).encode(), public)


def open_day_keys(
    runtime: StateDirectory | None,
    use: str,
    *,
    sharing: tuple[StoreSync, Keyring] | None = None,
    clock: Callable[[], datetime] | None = None,
) -> DayKeys:
    """Return the keys of the days for one use; `sharing` where other machines have them too."""
    keys = DayKeys(runtime, use, clock=clock)
    if sharing is not None:
        store_sync, keyring = sharing
        pairs = DayKeys(runtime, f"{use}-{PAIR}", clock=clock)
        now = clock or (lambda: datetime.now(UTC))
        store_sync.listen(DayKeySharing(keys, pairs, keyring, use=use, clock=now).look)
    return keys


def has_machines(settings: StoreSettings, state: StateDirectory, *, environ: Mapping[str, str]) -> bool:
    """Return whether the store is a server, which several machines may have. Raises ConfigError."""
    return settings.enabled and store_file(settings, state.path, environ=environ) is None


def _bounded(table: Table) -> Table:
    return dict(list(table.items())[-MOST_MACHINES:])


def _read(text: bytes) -> Table:
    """Return the table; an empty one for what is none."""
    try:
        found = json.loads(text or b"{}").items()
        return {
            bytes.fromhex(one): Entry(bytes.fromhex(box), str(key_id), bytes.fromhex(mac))
            for one, (box, key_id, mac) in found
            if len(one) == 2 * KEY_BYTES
        }
    except (ValueError, TypeError, AttributeError):
        return {}


def _write(table: Table) -> bytes:
    return json.dumps(
        {one.hex(): [entry.box.hex(), entry.key_id, entry.mac.hex()] for one, entry in table.items()}
    ).encode()
