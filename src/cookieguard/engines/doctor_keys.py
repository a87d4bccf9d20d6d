"""What the doctor says of keys: the keyring, those of days and hours, and the vault's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from pathlib import Path

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import DAY_KEY, KEYS_GO, RUN_JOB, Shop, day_of, some_of
from cookieguard.engines.files.keyring_source import longest_life
from cookieguard.engines.files.runtime_directory import (
    ALLOWED,
    ON_DISK,
    SETTING,
    existing_runtime,
    is_in_memory,
)
from cookieguard.engines.files.state_directory import StateDirectory
from cookieguard.engines.files.vault import event_days, private_days, read_public_keys
from cookieguard.keyring import KeyState, retires_from, to_text

HOUR_KEYS_GO = 3  # hours
OLD_KEY = timedelta(days=365)
UNUSED_KEY = timedelta(days=30)  # added, and never promoted
KEYS_AHEAD = 2  # days of vault keys that should be left
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
            told = f"key {key.id} has not been needed since {to_text(ends)}"
            yield Finding("retired keys", told, f"run: cookieguard keys retire {key.id}")


def examine_day_keys(shop: Shop) -> Iterator[Finding]:
    runtime = existing_runtime(shop.config.runtime_dir, shop.state)
    names = [] if runtime is None else [path.name for path in runtime.paths()]
    days = sorted(match[1] for match in map(DAY_KEY.fullmatch, names) if match)
    over = [day for day in days if shop.now - day_of(day) > KEYS_GO]
    told = f"{len(days)}, the oldest of {days[0]}" if days else "none"
    yield Finding("day keys", told, RUN_JOB if over else "")
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


def examine_vault(shop: Shop) -> Iterator[Finding]:
    settings, today = shop.config.vault, shop.now.astimezone(UTC).date()
    first = shop.first_day(settings.keep_days)
    events = event_days(shop.state)
    told = f"{len(events)} days, the oldest is {events[0]}" if events else "none"
    yield Finding("sealed events", told, RUN_JOB if events and events[0] < first else "")
    ahead = sum(day >= today for day in read_public_keys(shop.state))
    if settings.enabled and (settings.private_dir or ahead):
        few = "run: cookieguard vault init (daily, by cron)" if ahead < KEYS_AHEAD else ""
        yield Finding("vault keys ahead", f"for {ahead} days", few)
    if settings.private_dir:
        yield _private_keys(Path(settings.private_dir), first)


def _private_keys(directory: Path, first: date) -> Finding:
    try:
        days = private_days(directory)
    except PermissionError:
        return Finding("vault keys", "this user may not read them; run doctor as the vault's user too")
    except OSError as error:
        return Finding("vault keys", f"cannot be read ({error.strerror})", "run: cookieguard vault init")
    told = f"{len(days)} private keys, the oldest of {days[0]}" if days else "no private key"
    return Finding("vault keys", told, "run: cookieguard vault expire" if days and days[0] < first else "")
