"""Create the parts of all features in a web worker, and the staff pages that need several features."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from anyio import to_thread
from starlette.responses import Response

from cookieguard.features import FEATURES
from cookieguard.features.customer_file import FILE_PAGE, WHO, CustomerFile
from cookieguard.features.documents import PROCESSING_PAGE, TEXTS_PAGE, show_processing, show_texts
from cookieguard.features.feature import Place
from cookieguard.features.people.part import PeoplePart
from cookieguard.features.people.staff_guard import back_to
from cookieguard.features.people.staff_sign_in import staff_only
from cookieguard.features.records.part import RecordsPart
from cookieguard.features.replay import RECORD_PAGE, Records
from cookieguard.features.retention import open_retention
from cookieguard.features.rights.part import RightsPart
from cookieguard.features.work import after_restore
from cookieguard.identity.staff_token import ANYONE, Member
from cookieguard.office.layout import stylesheet
from cookieguard.office.shell import OVERVIEW_PAGE
from cookieguard.web.exchange import Exchange
from cookieguard.web.pages.form import Receive
from cookieguard.web.pages.router import file_response
from cookieguard.web.parts.guard import Core, Guard
from cookieguard.web.parts.part import READ, READ_AND_POST, Page, Part

# Pages with figures of many features: name, role, title, and the module and function that answer. The modules import
# dashboard and doctor, which takes 60 ms of CPU and 1.5 MB, so each is imported when its page is first requested.
LATER = (
    ("health", "officer", "Health", "overview", "show_health"),
    (OVERVIEW_PAGE, ANYONE, "Overview", "overview", "show_overview"),
    ("due", WHO, "What is due", "due", "show_due"),
    ("vendors", "analyst", "Vendors", "vendor_page", "show_vendors"),
)


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
    """Serve the staff pages that need several features, and the style sheet of all staff pages."""

    def __init__(self, guard: Guard, place: Place) -> None:
        staff = guard.part(PeoplePart).staff
        records, policy = guard.find(RecordsPart), cast("Any", guard.ports.policy)
        self.pages = [
            Page(stylesheet().name, READ, _show_style),
            staff_only(staff, "officer", READ, _lead_to_due, role=WHO, title=""),
        ]
        for name, role, title, *where in LATER:
            answer = partial(_answer_later, *where, staff=staff, place=place)
            self.pages.append(staff_only(staff, name, READ, answer, role=role, title=title))
        rights = guard.find(RightsPart)
        if rights is not None and (desk := rights.room.desk) is not None:
            file = CustomerFile(staff=staff, place=place, desk=desk).answer
            self.pages.append(staff_only(staff, FILE_PAGE, READ_AND_POST, file, role=WHO, title="File"))
        for name, show in ((PROCESSING_PAGE, show_processing), (TEXTS_PAGE, show_texts)):
            answer = partial(show, staff=staff)
            self.pages.append(staff_only(staff, name, READ, answer, role="officer", title="Records"))
        if records is not None:
            versions = (lambda: policy.history.versions) if policy.is_on else (lambda: ())
            shown = Records(staff=staff, log=records.log, versions=versions)
            self.pages.append(
                staff_only(staff, RECORD_PAGE, READ_AND_POST, shown.answer, role="officer", title="Records")
            )


async def _answer_later(module: str, function: str, *asked: Any, **known: Any) -> Response:
    found = await to_thread.run_sync(import_module, f"cookieguard.features.{module}")
    response: Response = await getattr(found, function)(*asked, **known)
    return response


async def _lead_to_due(exchange: Exchange, _: Receive, __: Member) -> Response:
    return back_to(exchange, "due")  # letters of earlier releases link the page by another name


async def _show_style(_: Exchange, __: Receive) -> Response:
    return file_response(stylesheet())
