"""Make the parts of all features, and the pages that need several of them, such as what is due."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from starlette.responses import Response

from cookieguard.features import FEATURES
from cookieguard.features.customer_file import FILE_PAGE, CustomerFile
from cookieguard.features.documents import PROCESSING_PAGE, TEXTS_PAGE, show_processing, show_texts
from cookieguard.features.due import DUE_PAGE, WHO, show_due
from cookieguard.features.feature import Place
from cookieguard.features.overview import HEALTH_PAGE, show_health, show_overview
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_sign_in import staff_only
from cookieguard.features.policy.part import PolicyPart
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.replay import RECORD_PAGE, Records
from cookieguard.features.retention import open_retention
from cookieguard.features.rights.part import RightsPart
from cookieguard.features.vendor_page import VENDORS_PAGE, show_vendors
from cookieguard.features.work import after_restore
from cookieguard.identity.staff_token import ANYONE
from cookieguard.office.layout import stylesheet
from cookieguard.office.shell import OVERVIEW_PAGE
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.router import file_response
from cookieguard.web.parts.guard import Core, Guard
from cookieguard.web.parts.part import READ, READ_AND_POST, Page, Part


def serve(guard: Guard) -> None:
    """Add the parts of all features that are on; they are closed in reverse. Raises ConfigError."""
    place = Place(guard.config, Path(guard.config.state_dir).absolute(), guard.environ)
    if guard.store is not None:
        guard.store.prepare = after_restore(place, guard.keyring, clock=guard.clock).attach
    guard.parts.append(Core(guard, open_retention(place, clock=guard.clock)))
    for feature in FEATURES:
        part = feature.serve(guard)
        if part is not None:
            guard.parts.append(part)
    guard.parts.append(OfficePart(guard, place))


class OfficePart(Part):
    """Serve the pages that show several parts, and the style sheet of all pages of staff."""

    def __init__(self, guard: Guard, place: Place) -> None:
        people = guard.part(PeoplePart)
        staff = people.staff
        records, policy = guard.find(RecordsPart), guard.find(PolicyPart)
        due = partial(show_due, staff=staff, place=place)
        overview = partial(show_overview, staff=staff, place=place)
        health = partial(show_health, staff=staff, place=place)
        vendors = partial(show_vendors, staff=staff, place=place)
        self.pages = [
            staff_only(staff, HEALTH_PAGE, READ, health, role="officer", title="Health"),
            staff_only(staff, OVERVIEW_PAGE, READ, overview, role=ANYONE, title="Overview"),
            staff_only(staff, DUE_PAGE, READ, due, role=WHO, title="What is due"),
            staff_only(staff, VENDORS_PAGE, READ, vendors, role="analyst", title="Vendors"),
            Page(stylesheet().name, READ, _show_style),
        ]
        rights = guard.find(RightsPart)
        if rights is not None and rights.room.desk is not None:
            access, desk = guard.part(PeoplePart).access, rights.room.desk
            file = CustomerFile(staff=staff, place=place, access=access, desk=desk).answer
            self.pages.append(staff_only(staff, FILE_PAGE, READ_AND_POST, file, role=WHO, title="File"))
        for name, show in ((PROCESSING_PAGE, show_processing), (TEXTS_PAGE, show_texts)):
            answer = partial(show, staff=staff)
            self.pages.append(staff_only(staff, name, READ, answer, role="officer", title="Records"))
        if records is not None:
            versions = (lambda: ()) if policy is None else (lambda: policy.policy.history.versions)
            shown = Records(staff=staff, log=records.log, access=people.access, versions=versions)
            self.pages.append(
                staff_only(staff, RECORD_PAGE, READ_AND_POST, shown.answer, role="officer", title="Records")
            )


async def _show_style(_: Exchange, __: Receive) -> Response:
    return file_response(stylesheet())
