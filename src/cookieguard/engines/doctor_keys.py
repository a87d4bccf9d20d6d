"""The doctor's checks of keys: the keyring, its place, and the keys of days and hours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import DAY_KEY, KEYS_GO, RUN_JOB, Shop, day_of, some_of
from cookieguard.keyring import KeyState, retires_from, to_text
from cookieguard.storage.keyring_source import KEYRING_FILE, beside, longest_life, place_of
from cookieguard.storage.runtime_directory import ALLOWED, ON_DISK, SETTING, existing_runtime, is_in_memory
from cookieguard.storage.state_directory import StateDirectory

HOUR_KEYS_GO = 3  # hours
OLD_KEY = timedelta(days=365)
UNUSED_KEY = timedelta(days=30)  # a key that is added but not promoted yet is not reported for this long
# A container that is created again keeps only the content of its volumes
MOVE = (
    "run: mkdir -m 700 {directory} && cp {ignored} {directory} && mv {path} {directory}/keyring; then restart the shop "
    "(in a container, mount a volume of its own there first)"
)
HOUR_KEY = re.compile(r"\.?hour-([0-9]{1,9})(?:\..*)?")


def examine_keys(shop: Shop) -> Iterator[Finding]:
    keyring, life, now = shop.keyring, longest_life(shop.config), shop.now
    signing = keyring.signing
    since = signing.since or signing.created
    age = f"key {signing.id} has signed since {to_text(since)}; the keyring has {len(keyring.every)}"
    old = "run: cookieguard keys add, then keys promote 10 minutes later" if now - since > OLD_KEY else ""
    yield Finding("signing key", age, old)
    for key in keyring.every:
        ends = retires_from(key, life=life)
        is_unused = key.since == key.created and now - key.created < UNUSED_KEY
        if key.state is KeyState.VERIFY and ends is not None and ends <= now and not is_unused:
            text = f"key {key.id} has not been needed since {to_text(ends)}"
            yield Finding("retired keys", text, f"run: cookieguard keys retire {key.id}")


def examine_keyring_place(shop: Shop) -> Iterator[Finding]:
    place = place_of(shop.state, shop.config.keys, environ=shop.environ)
    if place.path is not None and not os.path.lexists(place.path):
        return  # `examine_keys` reports that
    inside, directory = shop.state / KEYRING_FILE, beside(shop.state).parent
    text = f"{place.path or place.variable}; it needs a backup of its own: nothing else opens what is sealed"
    advice = f"{inside} is not used: remove it" if os.path.lexists(inside) else ""
    if place.path is not None and place.path.absolute().is_relative_to(shop.state):
        text = f"{place.path} is in the state directory, so a copy of that directory opens all that is sealed in it"
        advice = MOVE.format(path=place.path, ignored=shop.state / ".gitignore", directory=directory)
    yield Finding("keyring", text, advice=advice)


def examine_day_keys(shop: Shop) -> Iterator[Finding]:
    runtime = existing_runtime(shop.config.runtime_dir, shop.state)
    names = [] if runtime is None else [path.name for path in runtime.paths()]
    days = sorted(match[1] for match in map(DAY_KEY.fullmatch, names) if match)
    over = [day for day in days if shop.now - day_of(day) > KEYS_GO]
    text = f"{len(days)}, the oldest of {days[0]}" if days else "none"
    yield Finding("day keys", text, RUN_JOB if over else "")
    hours = [int(match[1]) for match in map(HOUR_KEY.fullmatch, names) if match]
    late = [hour for hour in hours if shop.now.timestamp() // 3600 - hour > HOUR_KEYS_GO]
    yield Finding("hour keys", f"{len(hours)}, {len(late)} of them expired", RUN_JOB if late else "")
    yield _place_of_keys(shop, runtime)


def _place_of_keys(shop: Shop, runtime: StateDirectory | None) -> Finding:
    beside = [name for name in shop.names if ON_DISK.fullmatch(name)]
    if beside:
        return Finding("place of keys", f"on a disk, next to their data: {some_of(beside)}", RUN_JOB)
    if runtime is None:
        return Finding("place of keys", "no directory in memory yet, or each worker has its own")
    if not is_in_memory(runtime.path):
        return Finding("place of keys", f"{runtime.path.parent} is on a disk", f"set {SETTING} to {ALLOWED}")
    return Finding("place of keys", "in memory")
