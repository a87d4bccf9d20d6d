"""What `cookieguard doctor` says of the policy's folder: whether it is what was announced, and what counts today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path

from cookieguard.config import Config
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.policy.values.ledger import Ledger
from cookieguard.features.policy.values.versions import Version, altered, in_force, upcoming
from cookieguard.storage.store.open import store_opener

BRING_BACK = "restore the text that was announced; a change needs a new version"
ANNOUNCE = "run: cookieguard policy announce {name} (or release it with a reason)"
SEND = "run: cookieguard policy send, then look at: cookieguard policy status"


def examine_policy(
    config: Config, state: Path, *, environ: Mapping[str, str], today: date
) -> Iterator[tuple[str, str, str, str]]:
    """Yield check, finding, what mends it, and advice. Raises ConfigError, StoreDown and LedgerError."""
    versions = read_versions(config)
    with closing(store_opener(config.store, state, environ=environ)()) as store:
        ledger = read_ledger(store)
    changed = altered(versions, ledger)
    if changed:
        yield "policy texts", f"{', '.join(changed)} changed after the announcement", BRING_BACK, ""
    current, next_ = in_force(versions, ledger, today), upcoming(versions, ledger, today)
    found = "no version is in force yet" if current is None else f"version {current.name} is in force"
    yield "policy", f"{found}; {len(versions)} in the folder", "", ""
    if next_ is not None:
        entry = ledger[next_.name]
        is_late = next_.effective <= today and not entry.is_complete
        told = "all notices are sent" if entry.is_complete else "not all notices are sent"
        mend, advice = (SEND, "") if is_late else ("", "" if entry.is_complete else SEND)
        yield "next policy", f"{next_.name} takes effect on {next_.effective}, {told}", mend, advice
    yield from _forgotten(versions, ledger, current, today)


def _forgotten(
    versions: tuple[Version, ...], ledger: Ledger, current: Version | None, today: date
) -> Iterator[tuple[str, str, str, str]]:
    """Yield versions whose day of announcement is over, and that nobody announced."""
    for one in versions[1:]:
        is_later = current is None or one.effective > current.effective
        if is_later and one.announced <= today and one.name not in ledger:
            mend = ANNOUNCE.format(name=one.name)
            is_today = one.announced == today
            told = f"{one.name} {'is to be announced today' if is_today else f'was not announced on {one.announced}'}"
            yield "unannounced policy", told, "" if is_today else mend, mend if is_today else ""
