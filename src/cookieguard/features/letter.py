"""The weekly letter to owner and officer, which their page shows too: what is due, and what else happened in the week.

It says of no customer who they are. A part that cannot be read says so: a letter is never silently short.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from cookieguard.config import Config
from cookieguard.consent import Register, Verdict, site_of
from cookieguard.consent.declarations import advice_on
from cookieguard.engines.doctor_settings import Finding
from cookieguard.engines.doctor_shop import Shop
from cookieguard.features.checks import due_of
from cookieguard.features.records.store.open import stores_if_made
from cookieguard.features.statistics.dashboard.selection import RANGES, Selection
from cookieguard.features.statistics.dashboard.tabs import Details, read_details
from cookieguard.features.statistics.engines.open import open_reader, read_retained
from cookieguard.keyring import Keyring

MOST_LINES = 20  # of a part: the letter is one page
LONGEST_LINE = 300
NOTHING = "nothing"
KEEP_IT = "keep it where the shop cannot change it: cookieguard log checkpoint --out FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Hold one part of the letter; `is_due` says whether somebody must do something."""

    title: str
    lines: tuple[str, ...]
    is_due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Hold a letter."""

    shop: str
    made: datetime
    due: int
    """How many things somebody must do."""
    parts: tuple[Part, ...]

    @property
    def subject(self) -> str:
        """Return the mail's subject."""
        things = "1 thing needs you" if self.due == 1 else f"{self.due or 'no'} things need you"
        return f"Privacy of {self.shop}, {self.made:%-d %B %Y}: {things}"

    @property
    def text(self) -> list[str]:
        """Return the mail's lines."""
        lines = [f"Privacy of {self.shop}", f"{self.made:%A, %-d %B %Y}, {self.made:%H:%M} UTC"]
        for part in self.parts:
            lines += ["", f"{'! ' if part.is_due else ''}{part.title}"]
            lines += [f"  {line}" for line in part.lines]
        return lines


def write_letter(config: Config, keyring: Keyring, now: datetime) -> Letter:
    """Write the letter of this moment; reads files and stores, so call it outside the event loop."""
    shop = Shop(config=config, environ=os.environ, now=now.astimezone(UTC), given=keyring)
    found = due_of(shop)
    due = [one for one in found if one.is_due]
    parts = [_part("What needs you", _lines_of(due), is_due=bool(due))]
    parts.append(_part("In time and in order", _lines_of([one for one in found if not one.is_due])))
    parts += [_part(title, _read(read, shop)) for title, read in NEWS.items()]
    host = config.origins[0].partition("://")[2] if config.origins else "the shop"
    return Letter(shop=host, made=shop.now, due=len(due), parts=tuple(parts))


def _lines_of(found: Sequence[Finding]) -> list[str]:
    lines = []
    for one in found:
        told = f"{one.check.removeprefix('vendor ')}: {one.found}"
        who = f" ({one.role})" if one.role and one.is_due else ""
        lines += "; ".join(filter(None, (told, f"{one.mend or one.advice}{who}"))).splitlines()
    return lines


def _read(read: Callable[[Shop], Sequence[str]], shop: Shop) -> Sequence[str]:
    try:
        return read(shop)
    except Exception as error:  # noqa: BLE001 - a store's driver raises what it likes; told in its place
        return [f"cannot be read ({type(error).__name__}); see cookieguard doctor"]


def _part(title: str, lines: Sequence[str], *, is_due: bool = False) -> Part:
    shown = [plain(line) for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(f"and {len(lines) - MOST_LINES} more")
    return Part(title=title, lines=tuple(shown or [NOTHING]), is_due=is_due)


def plain(text: str) -> str:
    """Return a text as one line that moves no cursor and turns no direction: hosts and errors are others' words."""
    kept = "".join(one if unicodedata.category(one)[0] != "C" else " " for one in text[:LONGEST_LINE])
    return " ".join(kept.split())


def one_line(text: str) -> str:
    """Return a text as `plain` does, its indent kept."""
    return " " * (len(text) - len(text.lstrip(" "))) + plain(text)


def _held(shop: Shop) -> Sequence[str]:
    """Return the hosts that were held and are still undeclared, with the lines that would declare them."""
    details = _details(shop, "held")
    if details is None or details.range is None:
        return []
    config = shop.config
    register = Register(
        purposes=config.purposes, vendors=config.vendors, first_party_hosts=config.first_party_hosts
    )
    site, lines = site_of(config.origins[0].partition("://")[2] if config.origins else ""), list[str]()
    for one in details.hosts:
        is_known = one.vendor or register.is_named(one.host)
        if not is_known and register.judge(one.host, None, "", shop=site).is_undeclared:
            verdict = Verdict(one.host, config.undeclared)
            advice, declared = advice_on(verdict, site=site, path="", vendors=config.vendors)
            lines.append(f"{one.host}: held on {one.views} views in {details.range.label}; {advice}")
            lines += declared.splitlines()
    return lines


def _choices(shop: Shop) -> Sequence[str]:
    details = _details(shop, "consent")
    if details is None:
        return ["nothing has been counted yet"]
    lines = [f"{name}: {share} % of all answers" for name, share in details.shares]
    lines += [f"{name}: {share} %" for name, share in details.parts]
    return [f"{details.range.label}:", *lines] if details.range and lines else details.notes


def _details(shop: Shop, tab: str) -> Details | None:
    """Read a tab of the last 7 days, None where nothing was counted yet."""
    stats = shop.config.stats
    if read_retained(stats, shop.state, environ=shop.environ) is None:
        return None
    with closing(open_reader(stats, shop.state, environ=shop.environ)) as reader:
        asked = Selection(tab=tab, range=RANGES["7"])
        return read_details(reader, asked, now=shop.now)


def _checkpoint(shop: Shop) -> Sequence[str]:
    with stores_if_made(shop.config, shop.state, environ=shop.environ) as stores:
        note = None if stores is None else stores.log.checkpoint()
    if note is None:
        return ["there is none yet: the first choice makes it"]
    told = zip(("log", "entries", "root"), note.splitlines(), strict=False)
    return [*(f"{name}: {line}" for name, line in told), KEEP_IT]


NEWS: Mapping[str, Callable[[Shop], Sequence[str]]] = {
    "Undeclared hosts that were held": _held,
    "What visitors chose": _choices,
    "The log's newest checkpoint": _checkpoint,
}
