"""Acts of the shop's staff as records of the consent log. An act that cannot be recorded is not done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from cookieguard.config import Config
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.records import SHOP, Record, named, new_id
from cookieguard.features.records.writer import LogWriter
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory

TIMEOUT = 10.0  # seconds until a record must be on disk
NOT_DONE = "the consent log cannot be written ({reason}), so nothing was done; see cookieguard doctor, then try again"


class Acts:
    """Write acts into a log, and wait until each is on disk. If the log is switched off, acts are not recorded."""

    def __init__(self, log: LogWriter | None, *, clock: Callable[[], datetime] | None = None) -> None:
        self._log = log
        self._clock = clock or (lambda: datetime.now(UTC))

    def append(self, kind: str, fields: Mapping[str, Any], *, once: str = "", subject: str = SHOP) -> None:
        try:
            self.begin(kind, fields, once=once, subject=subject).result(TIMEOUT)
        except TimeoutError as error:
            raise LogDown(NOT_DONE.format(reason=f"no answer in {TIMEOUT:g} s")) from error
        except LogDown as error:
            raise LogDown(NOT_DONE.format(reason=error)) from error

    def begin(
        self, kind: str, fields: Mapping[str, Any], *, once: str = "", subject: str = SHOP
    ) -> Future[None]:
        """Hand an act to the log. The future ends once the record is on disk, at once without a log."""
        if self._log is None:
            done: Future[None] = Future()
            done.set_result(None)
            return done
        facts = {f"cg:{name}": value for name, value in fields.items()}
        id_ = named(kind, once) if once else new_id()
        return self._log.append(Record(kind=kind, subject=subject, time=self._clock(), facts=facts, id=id_))


@contextmanager
def acts_of(
    config: Config,
    state: StateDirectory,
    keyring: Keyring,
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime] | None = None,
) -> Iterator[Acts | None]:
    """Open the shop's log for a command, None if it is switched off. Closing it numbers the new records."""
    log = open_log(config, state, keyring, environ=environ)
    if log is None:
        yield None
        return
    with closing(log):
        yield Acts(log, clock=clock)
