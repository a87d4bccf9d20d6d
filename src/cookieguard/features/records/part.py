"""The consent log of a worker, with the hook that tells the shop of decisions."""

from __future__ import annotations

from datetime import datetime

from cookieguard.features.records.choice_budget import USE, ChoiceBudget
from cookieguard.features.records.hook import DecisionHook
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.web.consent_log import ConsentLog, hook_of
from cookieguard.features.records.web.published import KEYS_PAGE, LOG_FOLDER, show_keys, show_log
from cookieguard.features.records.web.visitors_copy import COPY_FILE, send_copy, show_copy
from cookieguard.storage.store.day_key_sharing import open_day_keys
from cookieguard.web.pages.privacy_choices import COPY_PAGE
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.page import READ, Page
from cookieguard.web.parts.part import Part


class RecordsPart(Part):
    """Own the log and the hook, which needs the log until it has ended."""

    pages = (
        Page(KEYS_PAGE, READ, show_keys),
        Page(LOG_FOLDER, READ, show_log),
        Page(COPY_PAGE, READ, show_copy),
        Page(COPY_FILE, READ, send_copy),
    )

    def __init__(self, log: ConsentLog, hook: DecisionHook | None) -> None:
        self.log = log
        self._hook = hook

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
    """Open the log, None if it is switched off. Raises ConfigError."""
    log, config = None, guard.config
    writer = open_log(config, guard.state, guard.keyring, environ=guard.environ)
    if writer is not None:
        keys = open_day_keys(guard.runtime, USE, clock=guard.clock)
        log = ConsentLog(writer, ChoiceBudget(keys, guard.runtime or guard.state), config, guard.renderer)
    hook = hook_of(guard.on_decision, log)
    return None if log is None else RecordsPart(log, hook)
