"""`cookieguard doctor`: check on the shop's files and databases whether data are kept and deleted as promised.

Rule: a check only reads. Its findings have names, days and counts, but never a secret, an address or a store's URL.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cookieguard import html
from cookieguard.config import Config, load_catalogue
from cookieguard.consent import Verdict, shop_site
from cookieguard.consent.declarations import advice_on
from cookieguard.consent.vendors import Register
from cookieguard.engines.doctor_keys import examine_day_keys, examine_keyring_place, examine_keys
from cookieguard.engines.doctor_settings import (
    Finding,
    examine_contracts,
    examine_settings,
    undeclared,
    vendor_page,
)
from cookieguard.engines.doctor_shop import (
    AHEAD,
    DAY_KEY,
    RUN_JOB,
    SET_CLOCK,
    SLACK,
    NeverStarted,
    Shop,
    age_of,
    day_of,
    some_of,
)
from cookieguard.engines.files.access_log import log_files, log_place
from cookieguard.engines.files.undeclared_loads import read_undeclared_loads
from cookieguard.engines.retention import doubt_text, read_run
from cookieguard.errors import CookieGuardError
from cookieguard.keyring import to_text
from cookieguard.storage.journal import journal_of
from cookieguard.storage.journal_marks import mark_of
from cookieguard.storage.keyring_source import PRODUCTION
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.housekeeping import examine_store
from cookieguard.storage.store.open import store_file, store_opener
from cookieguard.storage.store.protocol import StoreDown

JOB_SLEEPS = timedelta(hours=25)  # so a daily cron job is enough
LEAST_FREE = 200_000_000  # bytes: less than 5 % of a small disk, and enough for some hours of our writing
MADE_WITHIN = timedelta(days=1)  # within a day of the first start, a visitor has had a session
BELIEVE = "set the clock (NTP); if it is right, run: cookieguard retention run --believe-clock"
START = f"start the shop once, as its own user; under {PRODUCTION}=production run cookieguard keys add first"
RESTORE = "stop the shop, and restore it from a backup (docs/operations.md)"
DAMAGED = "it may be damaged: restore it from a backup, or report this as a fault of cookieguard"
LOADS_DAYS = 7  # back from today; older loads may have been declared or removed since
MOST_BEYOND = 10
# A request with a 2xx or 3xx response, in the combined format and in JSON.
ANSWERED = re.compile(rb'(?:GET|POST) (/[^ "?]{1,2000}) HTTP/[0-9.]{1,3}"(?: |,"status":)[23]')
TRACKER_FILES = (".js", ".php", ".html")
MOST_LOG_BYTES = 1_000_000  # read from the end of each file
MOST_FILES = 8  # the newest
TRACKERS_SHOWN = 3
TRACKER_ADVICE = (
    "it is not held, whatever visitors choose; to hold it, declare its path in a [[vendors]] table"
)

Check = Callable[[Shop], Iterator[Finding]]


def examine(
    config: Config,
    checks: Mapping[str, Check],
    *,
    environ: Mapping[str, str],
    now: datetime,
    asks: bool = False,
) -> list[Finding]:
    """Return the findings of the core's checks and of `checks`; a failed check is a finding. `asks` opens links."""
    shop = Shop(config=config, environ=environ, now=now)
    is_no_directory = os.path.lexists(shop.state) and not shop.state.is_dir()
    # If the directory is something else, each of these checks would report that again
    inside = {} if is_no_directory else {**_named(KEYS), **checks, **_named(FILES)}
    every = {**_named((_state_directory, _databases)), **inside, **_named(LAST)}
    found = [finding for name, check in every.items() for finding in findings_of(name, check, shop)]
    return [*examine_settings(config, asks=asks), *found]


def _named(checks: Sequence[Check]) -> dict[str, Check]:
    return {check.__name__.removeprefix("examine").strip("_").replace("_", " "): check for check in checks}


def findings_of(name: str, check: Check, shop: Shop) -> list[Finding]:
    """Return a check's findings; if it fails, that is the finding."""
    try:
        return list(check(shop))
    except NeverStarted:
        return []
    except (CookieGuardError, StoreDown) as error:
        return [Finding(name, str(error), "follow the message, then run doctor again")]
    except OSError as error:
        return [Finding(name, f"cannot be read ({error.strerror})", "run this as the shop's user")]
    except Exception as error:  # noqa: BLE001 - a database's driver may raise any type; the other checks still run
        return [Finding(name, f"cannot be read ({type(error).__name__})", DAMAGED)]


def _state_directory(shop: Shop) -> Iterator[Finding]:
    if not os.path.lexists(shop.state):
        yield Finding("state directory", f"{shop.state} is missing", START)
        return
    StateDirectory(shop.state)  # raises an error that says how to repair its owner or mode
    wide = [str(path.relative_to(shop.state)) for path in _files(shop.state) if _is_open(path)]
    if wide:
        mend = f"run: chmod -R go-rwx {shop.state}"
        yield Finding("state directory", f"other users have access to {some_of(wide)}", mend)
        return
    yield Finding("state directory", f"only its user has access to {shop.state} and all files in it")


def _databases(shop: Shop) -> Iterator[Finding]:
    """Yield the databases that are empty files. It runs first, because other checks would create their tables again."""
    empty = [path.name for path in sorted(shop.state.glob("*.db")) if not path.stat().st_size]
    if empty:
        yield Finding("databases", f"{some_of(empty)} is empty: its content was cut off or replaced", RESTORE)


def _store(shop: Shop) -> Iterator[Finding]:
    config = shop.config
    if not (config.identity.enabled and config.store.enabled):
        yield Finding("store", "switched off: a copied session still works after its logout")
        return
    file = store_file(config.store, shop.state, environ=shop.environ)
    if file is not None and not file.exists():
        if shop.now - shop.keyring.signing.created < MADE_WITHIN:
            yield Finding("store", "not there yet: the first session creates it")
            return
        others = " (remove its -wal and -shm files first)" if Path(f"{file}-wal").exists() else ""
        mend = f"restore it, or restart the shop's workers, which create a new one{others}"
        yield Finding("store", f"{file} is missing: sessions that were ended are valid again", mend)
        return
    with closing(store_opener(config, shop.state, environ=shop.environ, keyring=shop.keyring)()) as store:
        yield Finding("store", f"answers; its last change is number {store.last_change().number}")
        yield from (Finding(*parts) for parts in examine_store(store))
        journal = journal_of(config, shop.state).name
        if journal and mark_of(store.database, journal) < 0:
            mend = "restore it from a backup, or start the shop's workers, which go on with the new one"
            yield Finding("store", "it is a new one, although the shop has kept another", mend)


def _access_log(shop: Shop) -> Iterator[Finding]:
    settings = shop.config.log
    days = [day for _, day in log_files(log_place(shop.state, settings))]
    oldest = (min(days) - date(1970, 1, 1)).days if days else None
    yield age_of("access log", "oldest file", oldest, shop, settings.keep_days, today=1)


def _own_hosts(shop: Shop) -> Iterator[Finding]:
    """Yield a finding for each undeclared tracker that was served from the shop's own hosts.

    The access log has paths without their queries, so only paths that end in a tracker's own file are reported.
    """
    register = Register(purposes=shop.config.purposes, vendors=shop.config.vendors)
    declared = {rule.path for rule in register.rules if rule.path}
    folders = tuple(path for path in declared if path.endswith("/"))
    found: dict[str, list[str]] = {}
    for path in sorted(_answered(log_place(shop.state, shop.config.log))):
        entry = load_catalogue().by_path(path) if path.endswith(TRACKER_FILES) else None
        if entry is not None and path not in declared and not path.startswith(folders):
            found.setdefault(entry.name, []).append(path)
    for name, paths in found.items():
        yield Finding(
            "own hosts", f"{name} is served at {', '.join(paths[:TRACKERS_SHOWN])}", advice=TRACKER_ADVICE
        )
    if not found:
        yield Finding("own hosts", "the access log shows no tracker of the catalogue on them")


def _retention(shop: Shop) -> Iterator[Finding]:
    run = read_run(shop.state)
    if run is None:
        yield Finding("retention", "the job has not run yet; it runs 30 seconds after the shop starts")
        return
    if run.failed:
        text = "; ".join(f"{step} failed: {reason}" for step, reason in run.failed.items())
        yield Finding("retention", text, RUN_JOB)
        return
    if run.doubt is not None:
        yield Finding("retention", doubt_text(run.doubt), BELIEVE)
        return
    is_late = shop.now - run.at > JOB_SLEEPS
    cut = f"; {run.cut} hits were deleted early, because there were too many" if run.cut else ""
    yield Finding("retention", f"last done {to_text(run.at)}{cut}", RUN_JOB if is_late else "")


def _disk(shop: Shop) -> Iterator[Finding]:
    free = shutil.disk_usage(shop.state if shop.state.exists() else Path.cwd()).free
    yield Finding("disk", f"{free // 1_000_000} MB free", "free some space" if free < LEAST_FREE else "")


def _clock(shop: Shop) -> Iterator[Finding]:
    stored = dict(_times(shop))
    ahead = [what for what, moment in stored.items() if moment > shop.now + AHEAD]
    newest = to_text(max(stored.values())) if stored else "nothing"
    text = f"newest time on record: {newest}" + (f"; in the future: {some_of(ahead)}" if ahead else "")
    yield Finding("clock", text, SET_CLOCK if ahead else "")


def _declarations(shop: Shop) -> Iterator[Finding]:
    first = shop.first_day(LOADS_DAYS)
    recent = [load for load in read_undeclared_loads(shop.state) if load.last >= first]
    hosts = set(undeclared((load.host for load in recent), shop.config))
    found = [load for load in recent if load.host in hosts]
    if not found:
        yield Finding("declarations", f"browsers reported no undeclared host in {LOADS_DAYS} days")
    for load in found[:MOST_BEYOND]:  # only a warning, because anyone can send a false report
        verdict = Verdict(load.host, shop.config.undeclared)
        site = shop_site(shop.config)
        advice, declared = advice_on(
            verdict, site=site, path="", vendors=shop.config.vendors, elements=("script",)
        )
        why = f"find out with cookieguard scan why it is loaded; {advice}\n{declared}"
        fate = "is held" if load.is_held else "loads"
        task = f"Say what {load.host} is: it {fate}, and nobody declared it"
        yield Finding("declarations", load.line, advice=why, task=task, page=vendor_page(host=load.host))


def _contracts(shop: Shop) -> Iterator[Finding]:
    yield from examine_contracts(shop.config, today=shop.now.astimezone(UTC).date())


def _scanner(_: Shop) -> Iterator[Finding]:
    pure = "pure Python, which takes several times the CPU; to compile, reinstall with a C compiler at hand"
    yield Finding("scanner", "compiled" if html.scanner() == "compiled" else pure)


KEYS: tuple[Check, ...] = (examine_keyring_place, examine_keys, _store)
FILES: tuple[Check, ...] = (_access_log, _own_hosts, examine_day_keys, _retention, _clock, _declarations)
LAST: tuple[Check, ...] = (_disk, _contracts, _scanner)
QUICK = _named((_retention, _disk))  # run each time the Overview is opened
DUE = _named((examine_keys, _declarations, _contracts))  # shown to officers and owners too


def _times(shop: Shop) -> Iterator[tuple[str, datetime]]:
    """Yield the newest times on record; another check reports those that cannot be read."""
    with suppress(CookieGuardError):
        yield from ((f"key {key.id}", key.since or key.created) for key in shop.keyring.every)
    for name in shop.names:
        match = DAY_KEY.fullmatch(name)
        if match:
            yield f"day key {match[1]}", day_of(match[1]) - SLACK  # made up to two hours before its day
    run = read_run(shop.state)
    if run is not None:
        yield "retention", run.at


def _files(directory: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(directory):
        yield from (Path(folder, name) for name in sorted(names))


def _is_open(path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & 0o077)


def _answered(directory: Path) -> set[str]:
    """Return the paths that were answered, as read from the ends of the newest log files."""
    newest = sorted(log_files(directory), key=lambda file: file[1], reverse=True)[:MOST_FILES]
    names: set[str] = set()
    for path, _ in newest:
        if path.suffix == ".log":  # logrotate's files may be compressed
            names |= {match.decode("ascii", "replace") for match in ANSWERED.findall(_end_of(path))}
    return names


def _end_of(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - MOST_LOG_BYTES))
        return file.read(MOST_LOG_BYTES)
