"""What is due about staff: limits that they reached, and customers who must be told of a look without their code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, timedelta

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.people.break_glass import LEDGER, due_notices, state_of
from cookieguard.features.people.daily_limits import NAMESPACE, REPORTED_DAYS, Use
from cookieguard.features.people.sessions import open_staff_store, staff_file
from cookieguard.storage.store.open import store_file, store_opener

NOTIFY = "run: cookieguard access notify"
ASK_WHY = "ask why; this shows what was opened: cookieguard staff journal"


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield limits that staff reached, and looks of which customers were not notified yet; raises StoreDown."""
    yield from _limits(shop)
    settings, environ = shop.config.store, shop.environ
    file = store_file(settings, shop.state, environ=environ)
    if not settings.enabled or (file is not None and not file.exists()):
        return
    with closing(store_opener(shop.config, shop.state, environ=environ, keyring=shop.keyring)()) as store:
        looks = {id_: look for id_, (look, _) in LEDGER.read(store).items()}
    due = due_notices(looks, shop.now)
    for id_, look in looks.items():
        if look.told is None:
            told = f"{id_}: {look.kind} by {look.by}: {state_of(look, shop.now)}"
            day = look.until or look.at.date()
            yield Finding("access", told, advice=NOTIFY if id_ in due else "", day=day, role="support")


def _limits(shop: Shop) -> Iterator[Finding]:
    """Yield which members reached a limit in the last week, and who exported all records."""
    file = staff_file(shop.config, shop.state, environ=shop.environ)
    if file is not None and not file.exists():
        return
    today = shop.now.astimezone(UTC).date()
    days = [today - timedelta(days=ago) for ago in range(REPORTED_DAYS)]
    with closing(open_staff_store(shop.config, shop.state, shop.keyring, environ=shop.environ)) as store:
        counts = [(day, store.read(NAMESPACE, str(day))) for day in days]
    for day, found in counts:
        for row, (name, reached, *opened) in json.loads(found.value).items() if found else ():
            use = row.partition(":")[0]
            if reached or use == Use.EXPORT:
                verb = "reached" if reached else "counts toward"
                told = f"{name} {verb} staff.{use} on {day}: {len(opened)}"
                yield Finding("staff", told, advice=ASK_WHY if reached else "", day=day, role="officer")
