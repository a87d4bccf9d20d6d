"""The shop's people, as the requests of a worker ask about them."""

from __future__ import annotations

from datetime import datetime

from cookieguard.access import use as use_access
from cookieguard.features.people.access import Access, Permissions
from cookieguard.features.people.journal import Journal
from cookieguard.features.people.people import People
from cookieguard.features.people.permission_page import PERMISSION_PAGE, answer_permission
from cookieguard.features.people.sessions import StaffSessions, own_store
from cookieguard.features.people.staff_list import StaffAuthenticator, WatchedStaff
from cookieguard.features.people.staff_sign_in import STAFF_PAGE, answer_staff
from cookieguard.features.records.acts import Acts
from cookieguard.features.records.part import RecordsPart
from cookieguard.identity.staff_token import staff_codec
from cookieguard.rate_limit import RateLimit
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.page import READ_AND_POST, Page
from cookieguard.web.parts.part import Part

CODES_AN_HOUR = 20  # that a customer makes for support: a long call needs three
SIGN_IN = Page(STAFF_PAGE, READ_AND_POST, answer_staff)
PERMISSION = Page(PERMISSION_PAGE, READ_AND_POST, answer_permission)


class PeoplePart(Part):
    """Serve the sign-in, and the page where a customer lets support in."""

    def __init__(self, people: People, *, has_customers: bool) -> None:
        self.people = people
        self.pages = (SIGN_IN, PERMISSION) if has_customers else (SIGN_IN,)

    def look(self, now: datetime) -> None:
        self.people.staff.look_ahead()


def serve(guard: Guard) -> PeoplePart:
    """Open what is known of them; without the shop's store their sessions have one of their own."""
    config, records = guard.config, guard.part(RecordsPart)
    ask = own_store(guard.state.path, guard.clock) if guard.store is None else guard.store.ask
    journal = Journal(guard.state, guard.keyring)
    acts = None if records is None else Acts(records.log.writer, clock=guard.clock)
    permissions = Permissions(guard.keyring, config.staff.scopes, ask)
    access = Access(permissions, acts, journal, clock=guard.clock)
    use_access(access)
    people = People(
        staff=StaffAuthenticator(staff_codec(guard.keyring), WatchedStaff(guard.state.path)),
        sessions=StaffSessions(config.staff, ask),
        journal=journal,
        access=access,
        code_turns=RateLimit(CODES_AN_HOUR, seconds=3600),
    )
    return PeoplePart(people, has_customers=config.identity.enabled)
