"""The part of a worker that keeps the consent log, serves its pages and calls the shop's hook after decisions."""

from __future__ import annotations

from datetime import datetime

from cookieguard.features.records.choice_budget import USE, ChoiceBudget
from cookieguard.features.records.hook import DecisionHook
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.web.agreements import AgreementLog
from cookieguard.features.records.web.consent_log import ConsentLog, hook_of
from cookieguard.features.records.web.published import KEYS_PAGE, LOG_FOLDER, Published
from cookieguard.features.records.web.visitors_copy import COPY_FILE, VisitorsCopy
from cookieguard.features.records.writer import LogWriter
from cookieguard.storage.store.day_key_sharing import open_day_keys
from cookieguard.web.pages.privacy_choices import COPY_PAGE
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ, Page, Part


class RecordsPart(Part):
    """Own the log and the hook. The hook reads from the log, so it is closed first."""

    def __init__(self, guard: Guard, writer: LogWriter, hook: DecisionHook | None) -> None:
        keys = open_day_keys(guard.runtime, USE, clock=guard.clock)
        budget = ChoiceBudget(keys, guard.runtime or guard.state)
        self.log = ConsentLog(writer, budget, guard.config, guard.renderer, ports=guard.ports)
        self._hook = hook
        guard.ports.records, guard.ports.agreements = self.log, AgreementLog(self.log)
        published, copy = Published(self.log), VisitorsCopy(self.log)
        self.pages = (
            Page(KEYS_PAGE, READ, published.show_keys),
            Page(LOG_FOLDER, READ, published.show_log),
            Page(COPY_PAGE, READ, copy.show_copy),
            Page(COPY_FILE, READ, copy.send_copy),
        )

    def begin(self) -> None:
        self.log.writer.begin()
        if self._hook is not None:
            self._hook.begin()

    def look(self, now: datetime) -> None:
        self.log.look_ahead(now)

    def close(self, deadline: float) -> None:
        if self._hook is not None:
            self._hook.close(deadline)
        self.log.close(deadline)


def serve(guard: Guard) -> RecordsPart | None:
    """Return the worker's part with its log opened, None if the log is switched off. Raises ConfigError."""
    writer = open_log(guard.config, guard.state, guard.keyring, environ=guard.environ)
    hook = hook_of(guard.on_decision, writer)
    return None if writer is None else RecordsPart(guard, writer, hook)
