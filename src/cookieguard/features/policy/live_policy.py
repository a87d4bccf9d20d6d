"""The policy in a running worker: it follows the folder of texts and the ledger, and keeps the last good state."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.consent import Matters, Terms
from cookieguard.errors import ConfigError
from cookieguard.features.policy.folder import Stamp, read_folder, stamp_of, told_of
from cookieguard.features.policy.kept_texts import KeptTexts, keep_texts, read_kept
from cookieguard.features.policy.ledger import LedgerError, dumps_ledger, loads_ledger, read_ledger
from cookieguard.features.policy.values.ledger import Ledger, files_of
from cookieguard.features.policy.values.matters import matters_of
from cookieguard.features.policy.values.versions import Version, dated, in_force, public, upcoming
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.writer import LogWriter
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener
from cookieguard.storage.store.protocol import Store, StoreDown
from cookieguard.web.parts.ports import Policy

logger = logging.getLogger("cookieguard")

LOOK_SECONDS = 5.0
TEXT_DIGEST = 16  # hex digits of a policy's text in a receipt
REFUSED = (
    "policy: %s; cookieguard serves the texts that the consent log keeps. Restore what was published; for another"
    " text, add a version and announce it"
)
COPY = "policy-ledger"  # in the state directory, for a worker that starts while the store is down


class PolicyHistory(NamedTuple):
    """Hold the versions and the ledger of announcements, None if the ledger could not be read yet."""

    versions: tuple[Version, ...]
    ledger: Ledger | None


class LivePolicy(Policy):
    """Follow folder and ledger. The store's thread owns this and updates `history`, which requests read.

    If the folder becomes unusable while the shop runs, the last good versions stay in use, and a warning is logged.
    """

    is_on = True
    log: LogWriter | None = None
    """The log that keeps each text from its publication on; None if no log keeps them."""

    def __init__(
        self,
        config: Config,
        state: StateDirectory,
        history: PolicyHistory,
        *,
        environ: Mapping[str, str],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._config = config
        self.matters: Matters = matters_of(config)
        self._environ = environ
        self._clock = clock or (lambda: datetime.now(UTC))
        self._kept: set[str] = set()  # digests of versions
        self._refused: Sequence[str] = ()
        self._folder = Path(config.policy.folder).absolute()  # the process may change its directory later
        self._state = state
        self.history = history
        self.trouble = ""
        """The reason why the folder is not followed at the moment; empty if it is."""
        self._stamp: Stamp = ()
        self._looked = float("-inf")
        # The history and day of the last lookup, with the version in force and the next one
        self._day: tuple[PolicyHistory, date, Version | None, Version | None] | None = None

    def terms(self, now: datetime) -> Terms:
        version = self.in_force(now.date())
        if version is None:
            return Terms(f"before-{self.history.versions[0].name}", "", self.matters)
        return Terms(version.name, version.digest[:TEXT_DIGEST], self.matters)

    def in_force(self, today: date) -> Version | None:
        return self._on(today)[2]

    def upcoming(self, today: date) -> Version | None:
        return self._on(today)[3]

    def dated(self, today: date) -> tuple[Version, ...]:
        """Return the versions with the days on which they take effect."""
        return dated(*self.history, today, self._config.policy.notice_days)

    def texts_of(self, name: str) -> dict[str, tuple[str, bytes]]:
        """Return a version's texts by language, each with its digest; empty if there is no such version."""
        found = next((version for version in self.history.versions if version.name == name), None)
        return {} if found is None else found.sources

    def _on(self, today: date) -> tuple[PolicyHistory, date, Version | None, Version | None]:
        history, found = self.history, self._day
        # Each page needs this, but it changes once a day at most, or with the history
        if found is None or found[0] is not history or found[1] != today:
            versions, ledger = self.dated(today), history.ledger
            found = history, today, in_force(versions, ledger, today), upcoming(versions, ledger, today)
            self._day = found
        return found

    def look(self, store: Store | None) -> None:
        """Check folder and ledger, every few seconds; never raises. `store` is None while it is down."""
        if time.monotonic() < self._looked + LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        ledger = self.history.ledger
        try:
            if store is not None:
                ledger = read_ledger(store)
            self._follow(ledger)
            self.trouble = ""
        except (ConfigError, OSError, StoreDown, LedgerError, LogDown) as error:
            self._keep(ledger, str(error))

    def _follow(self, ledger: Ledger | None) -> None:
        stamp = stamp_of(self._folder)
        versions, is_new = self.history.versions, ledger != self.history.ledger
        if stamp != self._stamp or is_new:
            kept = self._with_given(read_kept(self._config, self._state.path, ledger, environ=self._environ))
            versions, refused = read_folder(self._config, kept)
            self._refuse(refused)
        if ledger is not None and is_new:
            keep_copy(self._state, ledger)
        self._stamp = stamp
        if (versions, ledger) != self.history:
            self.history = PolicyHistory(versions, ledger)
        self.keep()

    def _with_given(self, kept: KeptTexts) -> KeptTexts:
        """Add texts that were given to the log and may not be on disk yet; the log's own texts override them."""
        given = [version for version in self.history.versions if version.digest in self._kept]
        digests = {version.name: version.files for version in given} | dict(kept.digests)
        files = {digest: file for version in given for digest, file in version.sources.values()}
        return KeptTexts(digests, files | dict(kept.files))

    def keep(self) -> None:
        """Write published texts into the log, so that they cannot be changed afterwards."""
        versions, ledger = self.history
        config, log = self._config, self.log
        if log is None or ledger is None or config.dev:
            return
        if not (config.origins or config.proof.name or log.exists):  # its first record fixes the log's name
            return
        now = self._clock()
        for version in public(versions, ledger, now.astimezone(UTC).date()):
            if version.digest not in self._kept:
                keep_texts(log, version, now)
                self._kept.add(version.digest)

    def _refuse(self, refused: Sequence[str]) -> None:
        """Log once which published files were changed."""
        if refused and refused != self._refused:
            logger.error(REFUSED, told_of(refused))
        self._refused = refused

    def _keep(self, ledger: Ledger | None, trouble: str) -> None:
        if ledger != self.history.ledger:
            self.history = PolicyHistory(self.history.versions, ledger)
        if trouble != self.trouble:
            self.trouble = trouble
            logger.warning(
                "policy: %s; until this is fixed, the texts stay in force that were read before", trouble
            )


def open_policy(
    config: Config,
    state: StateDirectory,
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime] | None = None,
) -> LivePolicy | None:
    """Read folder and ledger at start; None without a folder. Raises ConfigError if the folder cannot be used."""
    if not config.policy.folder:
        return None
    ledger = _first_ledger(config, state, environ)
    if ledger is None:
        logger.warning(
            "policy: the store does not answer, so announcements are unknown and the versions' dates alone decide"
        )
    try:
        kept = read_kept(config, state.path, ledger, environ=environ)
    except LogDown as error:
        kept = KeptTexts(files_of(ledger or {}), {})
        logger.warning(
            "policy: the consent log does not answer (%s); until it does, the folder counts", error
        )
    versions, refused = read_folder(config, kept)
    policy = LivePolicy(config, state, PolicyHistory(versions, ledger), environ=environ, clock=clock)
    policy._refuse(refused)
    return policy


def keep_copy(state: StateDirectory, ledger: Ledger) -> None:
    """Copy the ledger into the state directory, for a worker that starts while the store is down."""
    with suppress(OSError):  # the disk is full, but the store has the ledger
        state.replace(COPY, dumps_ledger(ledger))


def _first_ledger(config: Config, state: StateDirectory, environ: Mapping[str, str]) -> Ledger | None:
    try:
        with closing(store_opener(config, state.path, environ=environ)()) as store:
            return read_ledger(store)
    except (StoreDown, LedgerError):
        copy = state.read(COPY)
    with suppress(LedgerError):
        return None if copy is None else loads_ledger(copy)
    return None
