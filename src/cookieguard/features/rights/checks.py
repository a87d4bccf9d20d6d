"""The doctor's checks of the journal of erasures and ended sessions, which is applied after a restored backup."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.feature import Place
from cookieguard.features.rights.after_restore import AfterRestore
from cookieguard.storage.journal import APPLIED

CHECK = "journal of erasures"
ALONE = "it is in the state directory alone; a restore of that directory would bring back erased people"
SET = "set rights.journal to a file on another disk"
APPLY = "start the shop's workers, then run: cookieguard work"
OFF = "rights.backup_days is 0: a restore brings back erased people and ended sessions"


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield findings about the journal; creates no file. Raises what the databases raise."""
    config = shop.config
    if not (config.store.enabled and shop.state.is_dir()):
        return
    if not config.rights.backup_days:
        yield Finding(CHECK, OFF, "", "set rights.backup_days to as long as you keep backups")
        return
    try:
        keyring = shop.keyring
    except ConfigError:  # the doctor's check of the keys reports it
        return
    place = Place(config, shop.state, shop.environ)
    yield from _journal(AfterRestore(place, keyring, personal=lambda _: {}, clock=lambda: shop.now), shop.now)


def _journal(restore: AfterRestore, now: datetime) -> Iterator[Finding]:
    journal = restore.journal
    entries = journal.read(now)
    behind = list(restore.behind(now))
    if journal.trouble:
        yield Finding(CHECK, f"{journal.trouble}; erasures wait", "make that file writable again")
    if behind:
        lacking = "; ".join(map(str, behind))
        yield Finding(CHECK, f"a backup was restored, and the journal is not applied to {lacking}", APPLY)
    for entry in entries:
        if entry.kind == APPLIED:
            applied_to = base64.b64decode(entry.text).decode()
            yield Finding(CHECK, f"applied on {entry.at.date()} after a restore to {applied_to}")
    if journal.second is None:
        yield Finding(CHECK, ALONE, "", SET)
    elif not (journal.trouble or behind):
        yield Finding(CHECK, f"all databases followed it; the second place is {journal.second}")
