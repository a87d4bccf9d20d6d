"""Open what a worker needs of the shop's people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cookieguard.access import use as use_access
from cookieguard.config import Config
from cookieguard.features.people.access import Access, Permissions
from cookieguard.features.people.journal import Journal
from cookieguard.features.people.people import People
from cookieguard.features.people.sessions import StaffSessions, own_store
from cookieguard.features.people.staff_list import StaffAuthenticator, WatchedStaff
from cookieguard.features.records.acts import Acts
from cookieguard.features.records.writer import LogWriter
from cookieguard.identity.staff_token import staff_codec
from cookieguard.keyring import Keyring
from cookieguard.rate_limit import RateLimit
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.sync import StoreSync

CODES_AN_HOUR = 20  # that a customer makes for support: a long call needs three


def open_people(
    config: Config,
    state: StateDirectory,
    keyring: Keyring,
    store: StoreSync | None,
    log: LogWriter | None,
    *,
    clock: Callable[[], datetime] | None = None,
) -> People:
    """Return them; without the shop's store their sessions have one of their own."""
    ask = own_store(state.path, clock) if store is None else store.ask
    journal = Journal(state, keyring)
    permissions = Permissions(keyring, config.staff.scopes, ask)
    access = Access(permissions, None if log is None else Acts(log, clock=clock), journal, clock=clock)
    use_access(access)
    return People(
        staff=StaffAuthenticator(staff_codec(keyring), WatchedStaff(state.path)),
        sessions=StaffSessions(config.staff, ask),
        journal=journal,
        access=access,
        code_turns=RateLimit(CODES_AN_HOUR, seconds=3600),
    )
