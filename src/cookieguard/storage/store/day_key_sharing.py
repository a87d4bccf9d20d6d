"""Lets the machines of a shop agree on each day's key through their store, which holds a sealed copy for each machine.

Rule: a machine's copy opens only with its private key. That key is in memory, like the day's key, and is deleted with
it. Requests never wait for this: the store's thread does it, and until it is done a machine uses its own key.
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
PAIR = "pair"  # appended to the use of a day's key, for the machine's private key of that day
LOOK_SECONDS = 1.0
# A machine waits this long for another machine's copy of the key. If none answers, it starts a new key.
TIMEOUT_SECONDS = 30.0
MOST_MACHINES = 200  # per day and use; a machine counts again after a reboot, and the oldest are dropped
TRIES = 5  # attempts; each fails only if another writer succeeded
MAC_SALT, BOX_USE = b"day keys of machines", b"cookieguard day key 1"


class Entry(NamedTuple):
    """The store's entry for a public key: the sealed box, empty while the machine waits, and a MAC with its key."""

    box: bytes
    key_id: str
    mac: bytes


Table = dict[bytes, Entry]  # by public half, the oldest first


class Agreed(NamedTuple):
    """The agreed key of a day, with the store's text and the private key for which it was found."""

    key: bytes
    text: bytes
    private: bytes


class DayKeySharing:
    """Make all machines of a shop use one key per day and use. Owned by the store's thread.

    The store has one value per day, the table of machines. It is written only over the version that was read, so that
    all boxes in it contain the same key. The first machine of a day creates the table, and every machine with a box
    adds boxes for others.
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
        """Agree on the keys of the current days, at most once a second; `store` is None if it is down. Never raises."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        now = self._clock().astimezone(UTC)
        days = sorted({now.date(), (now + GRACE).date()})
        self._agreed = {day: agreed for day, agreed in self._agreed.items() if day in days}
        self._asked = {day: since for day, since in self._asked.items() if day in days}
        try:
            if store is None:
                raise StoreDown("the store is down")
            for day in days:
                self._follow(store, day)
            self._is_told = self._is_told and not self._agreed.keys() >= {*days}
        except Exception as error:  # noqa: BLE001 - statistics fail open, and the thread must go on; logged once
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
        """Return the key of all machines: `own` if there was none, None while the others have not answered."""
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
        """Return the key, if known, and the table with a box for each waiting machine, or else with our request."""
        public = public_half(private)
        genuine = {half: entry for half, entry in table.items() if self._is_genuine(day, half, entry)}
        key = self._opened(day, genuine.get(public), private)
        if key is not None:
            lacking = [half for half, entry in genuine.items() if not entry.box]
        elif any(entry.box for entry in genuine.values()) and self._may_wait(day):
            asks = public not in genuine or genuine[public].box  # also ask again if our box does not open
            return None, _bounded(table | {public: self._entry(day, public, b"")}) if asks else table
        else:
            key, lacking = own, [*(genuine.keys() - {public}), public]
        boxes = {half: seal_box(key, half, about=self._about(day, half), use=BOX_USE) for half in lacking}
        return key, _bounded(table | {half: self._entry(day, half, box) for half, box in boxes.items()})

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
        """Return whether a machine with our keyring wrote it, so that no other writer gets or provides a key."""
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
    """Return the keys of the days for one use, shared with other machines if `sharing` is given."""
    keys = DayKeys(runtime, use, clock=clock)
    if sharing is not None:
        store_sync, keyring = sharing
        pairs = DayKeys(runtime, f"{use}-{PAIR}", clock=clock)
        now = clock or (lambda: datetime.now(UTC))
        store_sync.listen(DayKeySharing(keys, pairs, keyring, use=use, clock=now).look)
    return keys


def has_machines(settings: StoreSettings, state: StateDirectory, *, environ: Mapping[str, str]) -> bool:
    """Return whether the store is a server, which several machines may use. Raises ConfigError."""
    return settings.enabled and store_file(settings, state.path, environ=environ) is None


def _bounded(table: Table) -> Table:
    return dict(list(table.items())[-MOST_MACHINES:])


def _read(text: bytes) -> Table:
    """Return the table in a value of the store; an empty one if it cannot be read."""
    try:
        found = json.loads(text or b"{}").items()
        return {
            bytes.fromhex(half): Entry(bytes.fromhex(box), str(key_id), bytes.fromhex(mac))
            for half, (box, key_id, mac) in found
            if len(half) == 2 * KEY_BYTES
        }
    except (ValueError, TypeError, AttributeError):
        return {}


def _write(table: Table) -> bytes:
    return json.dumps(
        {half.hex(): [entry.box.hex(), entry.key_id, entry.mac.hex()] for half, entry in table.items()}
    ).encode()
