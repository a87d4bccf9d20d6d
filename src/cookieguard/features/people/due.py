"""Tasks about staff: daily limits that members reached, and customers to notify of a look without their code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, timedelta

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.people.break_glass import (
    BREAK_GLASS,
    DISCLOSURE,
    LEDGER,
    REVEAL,
    due_notices,
    state_of,
)
from cookieguard.features.people.daily_limits import NAMESPACE, REPORTED_DAYS, Use
from cookieguard.features.people.sessions import open_staff_store, staff_file
from cookieguard.storage.store.open import store_file, store_opener
from cookieguard.storage.store.protocol import Store

NOTIFY = "with the token of a member of support, run: cookieguard access notify"
DONE = {
    REVEAL: "opened a sealed address",
    BREAK_GLASS: "opened a customer's data without their code",
    DISCLOSURE: "disclosed a customer's data",
}
PAGE = "people"  # it shows the access journal
ASK_WHY = "ask why; this shows what was opened: cookieguard staff journal"


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield the limits that staff reached, and the looks without a notice to the customer; raises StoreDown."""
    config, state, environ = shop.config, shop.state, shop.environ
    staff, own = staff_file(config, state, environ=environ), store_file(config.store, state, environ=environ)
    if staff is None or staff.exists():
        with closing(open_staff_store(config, state, shop.keyring, environ=environ)) as store:
            found = [*_limits(store, shop), *(_looks(store, shop) if staff == own else ())]
        yield from found
    if staff != own and config.store.enabled and (own is None or own.exists()):
        with closing(store_opener(config, state, environ=environ, keyring=shop.keyring)()) as store:
            found = list(_looks(store, shop))
        yield from found


def _looks(store: Store, shop: Shop) -> Iterator[Finding]:
    looks = {id_: look for id_, (look, _) in LEDGER.read(store).items()}
    due = due_notices(looks, shop.now)
    for id_, look in looks.items():
        if look.told is None:
            done = f"{look.by} {DONE.get(look.kind, look.kind)} on {look.at:%-d %B %Y}"
            said, day = f"{done}: {state_of(look, shop.now)}", look.until or look.at.date()
            task, advice = (
                (f"Tell the customer about the look of {look.by}", NOTIFY) if id_ in due else ("", "")
            )
            yield Finding("access", said, advice=advice, day=day, role="support", task=task)


def _limits(store: Store, shop: Shop) -> Iterator[Finding]:
    """Yield the members who reached a limit or exported all records in the last week."""
    today = shop.now.astimezone(UTC).date()
    for day in (today - timedelta(days=ago) for ago in range(REPORTED_DAYS)):
        found = store.read(NAMESPACE, str(day))
        for row, (name, reached, *opened) in json.loads(found.value).items() if found else ():
            use = row.partition(":")[0]
            if reached or use == Use.EXPORT:
                verb = "reached" if reached else "counts toward"
                told = f"{name} {verb} staff.{use} on {day}: {len(opened)}"
                task, advice = (f"Ask {name} why so many were opened", ASK_WHY) if reached else ("", "")
                yield Finding("staff", told, "", advice, today, role="officer", task=task, page=PAGE)
