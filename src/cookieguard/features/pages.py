"""The pages that need several features, officer's page and record; and the style sheet of all pages of staff."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from cookieguard.features.officer import OFFICER_PAGE, show_officer
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_sign_in import staff_only
from cookieguard.features.policy.part import PolicyPart
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.replay import RECORD_PAGE, show_record
from cookieguard.office.layout import stylesheet
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.router import file_response
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.page import READ, Page
from cookieguard.web.parts.part import Part


class OfficePart(Part):
    """Serve them, after all parts that they show."""

    def __init__(self, guard: Guard) -> None:
        staff = guard.part(PeoplePart).staff
        records, policy = guard.find(RecordsPart), guard.find(PolicyPart)
        officer = partial(show_officer, staff=staff)
        self.pages = [
            staff_only(staff, OFFICER_PAGE, READ, officer, role="officer", title="Privacy"),
            Page(stylesheet().name, READ, _show_style),
        ]
        if records is not None:
            versions = (lambda: ()) if policy is None else (lambda: policy.policy.history.versions)
            record = partial(show_record, staff=staff, log=records.log, versions=versions)
            self.pages.append(staff_only(staff, RECORD_PAGE, READ, record, role="officer", title="Records"))


async def _show_style(_: Exchange, __: Receive) -> Response:
    return file_response(stylesheet())
