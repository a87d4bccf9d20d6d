"""The part of a worker that serves the sign-in of staff, the page of people, and the customers' one-time codes."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from starlette.responses import Response

from cookieguard.access import ACCESS
from cookieguard.features.people.access import Access, Permissions
from cookieguard.features.people.daily_limits import refusal
from cookieguard.features.people.journal import Journal
from cookieguard.features.people.passkeys import Passkeys, can_verify
from cookieguard.features.people.people_page import PEOPLE_PAGE, PeoplePage
from cookieguard.features.people.permission_page import PERMISSION_PAGE, PermissionPage
from cookieguard.features.people.sessions import StaffSessions, own_store
from cookieguard.features.people.staff_guard import StaffGuard
from cookieguard.features.people.staff_list import StaffAuthenticator
from cookieguard.features.people.staff_sign_in import SCRIPT, SignIn, staff_only
from cookieguard.features.records.acts import Acts
from cookieguard.features.records.part import RecordsPart
from cookieguard.identity.staff_token import staff_codec
from cookieguard.storage.store.open import store_opener
from cookieguard.web.assets import load_asset
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.router import file_response
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ, READ_AND_POST, STAFF_PAGE, Page, Part


class PeoplePart(Part):
    """Guard the pages of staff. If the shop has no store, staff sessions get a store of their own."""

    def __init__(self, guard: Guard) -> None:
        config, records, store = guard.config, guard.find(RecordsPart), guard.store
        ask = own_store(guard.state.path, guard.keyring, guard.clock) if store is None else store.ask
        journal = Journal(guard.state, guard.keyring)
        acts = None if records is None else Acts(records.log.writer, clock=guard.clock)
        permissions = Permissions(guard.keyring, config.staff.scopes, ask)
        opener = partial(store_opener, config, guard.state.path, environ=guard.environ, keyring=guard.keyring)
        self.access = access = Access(permissions, acts, journal, opener, clock=guard.clock)
        ACCESS.offer(guard.helpers, access)
        members = StaffAuthenticator(staff_codec(guard.keyring), guard.state.path)
        count = partial(refusal, config=config, journal=journal)
        self.staff = StaffGuard(
            members,
            StaffSessions(config.staff, ask),
            journal,
            access,
            guard.parts,
            lambda **by: ask(partial(count, **by)),
            Passkeys(guard.keyring, ask) if can_verify() else None,
        )
        people = PeoplePage(self.staff, guard.state.path).answer
        self.pages = [Page(STAFF_PAGE, READ_AND_POST, SignIn(self.staff).answer)]
        self.pages.append(
            staff_only(self.staff, PEOPLE_PAGE, READ_AND_POST, people, role="officer", title="People")
        )
        self.pages.append(Page(load_asset(SCRIPT).name, READ, _show_script))
        if config.identity.enabled:
            self.pages.append(Page(PERMISSION_PAGE, READ_AND_POST, PermissionPage(access).answer))

    def look(self, now: datetime) -> None:
        self.staff.members.look_ahead()


async def _show_script(_: Exchange, __: Receive) -> Response:
    return file_response(load_asset(SCRIPT))


serve = PeoplePart
