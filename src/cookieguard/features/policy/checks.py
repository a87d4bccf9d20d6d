"""What `cookieguard doctor` says of the policy: whether it is what was announced, and what counts today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date

from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.policy.folder import read_folder
from cookieguard.features.policy.kept_texts import read_kept
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.values.ledger import Ledger
from cookieguard.features.policy.values.versions import Version, in_force, upcoming
from cookieguard.storage.store.open import store_opener

BRING_BACK = "restore the text that was published; a change needs a new version"
ANNOUNCE = "run: cookieguard policy announce {name} (or release it with a reason)"
SEND = "run: cookieguard policy send, then look at: cookieguard policy status"


def checks_of(shop: Shop) -> Iterator[Finding]:
    """Yield which version is in force, and whether notices are late; raises CookieGuardError and StoreDown."""
    policy, today = shop.config.policy, shop.now.astimezone(UTC).date()
    if policy.folder:
        yield from examine_folder(shop)
        return
    since = "from the start" if policy.effective is None else f"from {policy.effective}"
    if policy.effective is not None and policy.effective > today:
        since += ", not in force yet: all visitors are asked again on that day"
    yield Finding("policy", f"version {policy.version}, {since}")


def examine_folder(shop: Shop) -> Iterator[Finding]:
    """Yield the state of the folder of versions, as `checks_of` does; the weekly letter shows it too."""
    today = shop.now.astimezone(UTC).date()
    with closing(store_opener(shop.config.store, shop.state, environ=shop.environ)()) as store:
        ledger = read_ledger(store)
    kept = read_kept(shop.config, shop.state, ledger, environ=shop.environ)
    versions, refused = read_folder(shop.config, kept)
    if refused:
        told = f"{', '.join(refused)} changed after publication; the shop serves the text in the consent log"
        yield Finding("policy texts", told, BRING_BACK)
    current, next_ = in_force(versions, ledger, today), upcoming(versions, ledger, today)
    found = "no version is in force yet" if current is None else f"version {current.name} is in force"
    yield Finding("policy", f"{found}; {len(versions)} in the folder")
    if next_ is not None:
        entry = ledger[next_.name]
        is_late = next_.effective <= today and not entry.is_complete
        told = "all notices are sent" if entry.is_complete else "not all notices are sent"
        mend, advice = (SEND, "") if is_late else ("", "" if entry.is_complete else SEND)
        yield Finding("next policy", f"{next_.name} takes effect on {next_.effective}, {told}", mend, advice)
    yield from _forgotten(versions, ledger, current, today)


def _forgotten(
    versions: tuple[Version, ...], ledger: Ledger, current: Version | None, today: date
) -> Iterator[Finding]:
    """Yield versions whose day of announcement is over, and that nobody announced."""
    for one in versions[1:]:
        is_later = current is None or one.effective > current.effective
        if is_later and one.announced <= today and one.name not in ledger:
            mend = ANNOUNCE.format(name=one.name)
            is_today = one.announced == today
            told = f"{one.name} {'is to be announced today' if is_today else f'was not announced on {one.announced}'}"
            yield Finding("unannounced policy", told, "" if is_today else mend, mend if is_today else "")
