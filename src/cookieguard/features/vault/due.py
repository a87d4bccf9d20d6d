"""The vault's tasks for people: to make keys in advance, and to destroy old private keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date
from pathlib import Path

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.vault.sealed_events import private_days, read_public_keys

KEYS_AHEAD = 2  # days ahead that should at least have a key


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield for how many days keys exist, and whether private keys are kept too long."""
    settings, today = shop.config.vault, shop.now.astimezone(UTC).date()
    ahead = sum(day >= today for day in read_public_keys(shop.state))
    if settings.enabled and (settings.private_dir or ahead):
        few = "run: cookieguard vault init (daily, by cron)" if ahead < KEYS_AHEAD else ""
        yield Finding(
            "vault keys ahead", f"for {ahead} days", few, task="Make keys for the vault" if few else ""
        )
    if settings.private_dir:
        yield _private_keys(Path(settings.private_dir), shop.first_day(settings.keep_days))


def _private_keys(directory: Path, first: date) -> Finding:
    try:
        days = private_days(directory)
    except PermissionError:
        return Finding("vault keys", "this user may not read them; run doctor as the vault's user too")
    except OSError as error:
        return Finding("vault keys", f"cannot be read ({error.strerror})", "run: cookieguard vault init")
    found = f"{len(days)} private keys, the oldest of {days[0]}" if days else "no private key"
    return Finding("vault keys", found, "run: cookieguard vault expire" if days and days[0] < first else "")
