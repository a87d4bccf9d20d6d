"""The weekly letter to owner and officer, which their page shows too: what is due, what failed, and what is ahead.

Nothing of it says who a customer is. What cannot be read is a line of its own: a letter is never silently short.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cookieguard.config import Config
from cookieguard.consent import Register, Site, Verdict, site_of
from cookieguard.consent.declarations import advice_on
from cookieguard.engines.doctor_keys import examine_keys
from cookieguard.engines.doctor_settings import Finding, examine_contracts
from cookieguard.engines.doctor_shop import Shop
from cookieguard.engines.files.undeclared_loads import read_undeclared_loads
from cookieguard.features.outbox.outbox import outbox_opener
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.break_glass import BreakGlass, due_notices, state_of
from cookieguard.features.policy.announcement_run import run_of
from cookieguard.features.policy.checks import examine_folder
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.features.records.store.open import open_log_store, place_of
from cookieguard.features.rights.checks import open_requests
from cookieguard.features.rights.requests import UNREADABLE, Pending
from cookieguard.features.rights.values.rules import RequestKind
from cookieguard.features.statistics.dashboard.selection import RANGES, Selection
from cookieguard.features.statistics.dashboard.tabs import Details, read_details
from cookieguard.features.statistics.engines.open import open_reader, read_retained
from cookieguard.features.vault.checks import checks_of as examine_vault
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener

WEEK = timedelta(days=7)
MOST_LINES = 12  # of a part: the letter is one page
LONGEST_LINE = 300
KEYS = ("signing key", "retired keys", "vault keys", "vault keys ahead")
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
    parts: tuple[Part, ...]

    @property
    def subject(self) -> str:
        """Return the mail's subject."""
        due = sum(part.is_due for part in self.parts)
        told = "nothing is due" if not due else f"{due} {'part needs' if due == 1 else 'parts need'} you"
        return f"Privacy of {self.shop}, {self.made:%-d %B %Y}: {told}"

    @property
    def text(self) -> list[str]:
        """Return the mail's lines."""
        lines = [f"Privacy of {self.shop}", f"{self.made:%A, %-d %B %Y}, {self.made:%H:%M} UTC"]
        for part in self.parts:
            lines += ["", f"{'! ' if part.is_due else ''}{part.title}"]
            lines += [f"  {line}" for line in part.lines]
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hold what a letter is made from."""

    config: Config
    keyring: Keyring
    now: datetime

    @property
    def state(self) -> StateDirectory:
        """The state directory."""
        return StateDirectory(self.config.state_dir)

    @property
    def shop(self) -> Shop:
        """What the doctor's checks look at."""
        return Shop(config=self.config, environ=os.environ, now=self.now)


Found = tuple[list[str], bool]


def write_letter(config: Config, keyring: Keyring, now: datetime) -> Letter:
    """Write the letter of this moment; reads files and stores, so call it beside the event loop."""
    source = Source(config=config, keyring=keyring, now=now.astimezone(UTC))
    parts = tuple(_part(title, partial(read, source)) for title, read in PARTS.items())
    host = config.origins[0].partition("://")[2] if config.origins else "the shop"
    return Letter(shop=host, made=source.now, parts=parts)


def _part(title: str, read: Callable[[], Found]) -> Part:
    try:
        lines, is_due = read()
    except Exception as error:  # noqa: BLE001 - a store's driver raises what it likes; told in its place
        return Part(title=title, lines=(_unreadable(error),), is_due=True)
    shown = [plain(line) for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(f"and {len(lines) - MOST_LINES} more")
    return Part(title=title, lines=tuple(shown or [NOTHING]), is_due=is_due)


def _unreadable(error: Exception) -> str:
    return f"cannot be read ({type(error).__name__}); see cookieguard doctor"


def plain(text: str) -> str:
    """Return a text as one line that moves no cursor and turns no direction: hosts and errors are others' words."""
    kept = "".join(one if unicodedata.category(one)[0] != "C" else " " for one in text[:LONGEST_LINE])
    return " ".join(kept.split())


def one_line(text: str) -> str:
    """Return a text as `plain` does, its indent kept."""
    return " " * (len(text) - len(text.lstrip(" "))) + plain(text)


def _requests(source: Source) -> tuple[list[Pending], list[str]]:
    """Return what is open, and the ids of what cannot be read."""
    config, state, keyring = source.config, source.state, source.keyring
    if not config.store.enabled:
        return [], []
    return open_requests(config, state, lambda: keyring, source.now, environ=os.environ) or ([], [])


def _open_requests(source: Source) -> Found:
    found, unreadable = _requests(source)
    lines = [f"{id_} {UNREADABLE}" for id_ in unreadable]
    lines += [
        f"{one.kind.value}, {one.state}: {abs(one.days_left)} {'day' if abs(one.days_left) == 1 else 'days'} "
        f"{'late' if one.days_left < 0 else 'left'}, due {one.due} ({one.law.value}, {one.id})"
        for one in found
    ]
    return lines, bool(unreadable) or any(one.days_left <= WEEK.days for one in found)


def _erasures(source: Source) -> Found:
    erasures = [one for one in _requests(source)[0] if one.kind is RequestKind.ERASE]
    today = source.now.date()  # what was asked today is under way
    found = [one for one in erasures if one.trouble or (one.left and one.received < today)]
    lines = [
        f"{one.id}: not done: {', '.join(one.left)}{f'; {one.trouble}' if one.trouble else ''}"
        for one in found
    ]
    return lines, any(one.trouble for one in found)


def _looks(source: Source) -> Found:
    file = store_file(source.config.store, source.state.path, environ=os.environ)
    if not source.config.store.enabled or (file is not None and not file.exists()):
        return [], False
    with closing(store_opener(source.config.store, source.state.path, environ=os.environ)()) as store:
        looks = BreakGlass(store, Recipients(source.keyring), None).looks()
    open_ = {id_: one for id_, one in looks.items() if one.told is None}
    lines = [f"{id_}: {one.kind} by {one.by}: {state_of(one, source.now)}" for id_, one in open_.items()]
    return lines, bool(due_notices(looks, source.now))


def _undeclared(source: Source) -> Found:
    """Return what was loaded though nobody declared it, which is due, and what was held, which is a promise kept."""
    first = source.now.date() - WEEK
    loads = [one for one in read_undeclared_loads(source.state.path) if one.last >= first]
    told = {one.host: one.line for one in loads}
    unread = []
    try:
        for host, line in _held(source).items():
            told.setdefault(host, line)
    except Exception as error:  # noqa: BLE001 - that of the statistics' engine; what was loaded is a file's
        unread.append(f"held hosts {_unreadable(error)}")
    site, lines = _site(source.config), []
    for host, line in told.items():
        verdict = Verdict(host, source.config.undeclared)
        advice, declared = advice_on(verdict, site=site, path="", vendors=source.config.vendors)
        lines += [f"{line}; {advice}", *declared.splitlines()]
    return [*unread, *lines], bool(loads or unread)


def _held(source: Source) -> dict[str, str]:
    """Return what to say of each host that was held and that nobody declared since."""
    details = _details(source, "held")
    if details is None or details.range is None:
        return {}
    register = Register(
        purposes=source.config.purposes,
        vendors=source.config.vendors,
        first_party_hosts=source.config.first_party_hosts,
    )
    site = _site(source.config)
    return {
        one.host: f"{one.host}: held on {one.views} views in {details.range.label}"
        for one in details.hosts
        if not (one.vendor or register.is_named(one.host))
        and register.judge(one.host, None, "", shop=site).is_undeclared
    }


def _site(config: Config) -> Site:
    return site_of(config.origins[0].partition("://")[2] if config.origins else "")


def _contracts(source: Source) -> Found:
    found = list(examine_contracts(source.config, today=source.now.date()))
    return list(map(_shown, found)), bool(found)


def _notices(source: Source) -> Found:
    if not source.config.policy.folder:
        return [], False
    environ, path = os.environ, source.state.path
    with closing(store_opener(source.config.store, path, environ=environ)()) as store:
        ledger = read_ledger(store)
    lines, is_due = [], False
    with closing(outbox_opener(source.config.store, path, environ=environ)()) as outbox:
        for version in read_versions(source.config):
            entry = ledger.get(version.name)
            if entry is None:
                continue
            run = outbox.count(run_of(version)) if entry.forgotten is None else entry.run
            is_due = is_due or not entry.is_complete
            lines.append(
                f"{version.name}: {run.sent} of {run.total} sent, {run.waiting} waiting, {run.refused} failed for good"
            )
    found = [one for one in examine_folder(source.shop) if one.mend or one.advice]
    return [*lines, *map(_shown, found)], is_due or bool(found)


def _choices(source: Source) -> Found:
    details = _details(source, "consent")
    if details is None:
        return ["nothing has been counted yet"], False
    lines = [f"{name}: {share} % of all answers" for name, share in details.shares]
    lines += [f"{name}: {share} %" for name, share in details.parts]
    return ([f"{details.range.label}:", *lines] if details.range and lines else list(details.notes)), False


def _details(source: Source, tab: str) -> Details | None:
    """Read a tab of the last 7 days, None where nothing was counted yet."""
    stats, state = source.config.stats, source.state.path.absolute()
    if read_retained(stats, state, environ=os.environ) is None:
        return None
    with closing(open_reader(stats, state, environ=os.environ)) as reader:
        asked = Selection(tab=tab, range=RANGES["7"])
        return read_details(reader, asked, now=source.now, hit_days=stats.hit_days)


def _keys(source: Source) -> Found:
    shop = source.shop
    found = [one for one in (*examine_keys(shop), *examine_vault(shop)) if one.check in KEYS]
    return list(map(_shown, found)), any(one.mend for one in found)


def _shown(one: Finding) -> str:
    """Return what a check of the doctor found, and what to do about it."""
    return "; ".join(
        filter(None, (f"{one.check.removeprefix('vendor ')}: {one.found}", one.mend or one.advice))
    )


def _checkpoint(source: Source) -> Found:
    if not source.config.proof.enabled:
        return ["the consent log is switched off"], False
    place = place_of(source.config, Path(source.state.path).absolute(), environ=os.environ)
    if place.log_file is not None and not place.log_file.exists():
        return ["there is none yet: the first choice makes it"], False
    with closing(open_log_store(place.log, make=False)) as log:
        note = log.checkpoint()
    lines = list(_lines_of(note or ""))
    told = [f"{name}: {line}" for name, line in zip(("log", "entries", "root"), lines, strict=False)]
    return [*told, KEEP_IT] if told else told, False


def _lines_of(note: str) -> Iterator[str]:
    body: Sequence[str] = note.partition("\n\n")[0].splitlines()
    yield from body[:3]


PARTS: dict[str, Callable[[Source], Found]] = {
    "Open requests": _open_requests,
    "Unfinished erasures": _erasures,
    "Customers to inform about access to their data": _looks,
    "Undeclared hosts": _undeclared,
    "Contracts with vendors": _contracts,
    "Notices of policy changes": _notices,
    "What visitors chose": _choices,
    "Keys": _keys,
    "The log's newest checkpoint": _checkpoint,
}
