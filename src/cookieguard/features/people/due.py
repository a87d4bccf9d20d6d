"""Which customers have to be told that somebody looked at their data without their code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.people.break_glass import LEDGER, due_notices, state_of
from cookieguard.storage.store.open import store_file, store_opener

NOTIFY = "run: cookieguard access notify"


def due_of(shop: Shop) -> Iterator[Finding]:
    """Yield each look whose customer was not told yet, and names nobody; raises StoreDown."""
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
