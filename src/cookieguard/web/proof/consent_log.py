"""The consent log of a worker, as requests see it: records of choices, and whether the log has them yet.

Rule: this module knows no request; who asks hands in what the record says.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, replace
from hashlib import sha256

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Receipt
from cookieguard.consent.receipts import Source
from cookieguard.engines.proof.writer import LogWriter
from cookieguard.proof.consents import CONSENT, Asker, Event, Notice, consent_facts, event_of
from cookieguard.proof.log import Text
from cookieguard.proof.records import Record, browser, new_id
from cookieguard.web.banner.renderer import Renderer

PENDING_KEPT = 4096  # receipts that came back in cookies before the log had them
BEYOND = frozenset({NECESSARY})
NO_TEXT: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Hold a choice that was just made: its receipt, what was in force before, how it was made, and by whom."""

    receipt: Receipt
    before: Receipt | None
    in_force: frozenset[str]
    method: str
    host: str
    customer: str = ""
    """The subject of a customer, empty for a browser nobody is logged in with."""


class ConsentLog:
    """Write choices down. Owns what is known of receipts that were pending."""

    def __init__(self, writer: LogWriter, config: Config, renderer: Renderer) -> None:
        self.writer = writer
        self._config = config
        self._renderer = renderer
        self._purposes = frozenset(one.id for one in config.purposes) - BEYOND
        self._askers: dict[str, Asker] = {}
        self._texts: dict[str, Text] = {}
        self._pending: dict[str, Future[None]] = {}

    def write(self, choice: Choice) -> tuple[Receipt, Future[None]]:
        """Write a choice down; return the receipt with its subject, and the future that ends when it is durable."""
        receipt = choice.receipt
        subject = choice.before.subject if choice.before is not None and choice.before.subject else new_id()
        receipt = replace(receipt, subject=subject)
        before = None if choice.before is None else choice.in_force - BEYOND
        event = event_of(before, receipt.granted - BEYOND, self._purposes)
        if receipt.source is Source.SIGNAL:
            event = Event.GPC
        record = self._record(receipt, event, choice.customer or browser(subject), choice.method, choice.host)
        return receipt, self.writer.append(record, texts=self._text_of(receipt.banner))

    def is_recorded(self, receipt: Receipt, *, host: str) -> bool:
        """Return whether the log has a receipt that a cookie says it had not; where not, it is written again."""
        future = self._pending.get(receipt.id)
        if future is None or (future.done() and future.exception() is not None):
            if len(self._pending) >= PENDING_KEPT:
                del self._pending[next(iter(self._pending))]
            event = event_of(None, receipt.granted - BEYOND, self._purposes)
            record = self._record(receipt, event, browser(receipt.subject), "cookie", host, is_late=True)
            future = self._pending[receipt.id] = self.writer.append(
                record, texts=self._text_of(receipt.banner)
            )
        return future.done() and future.exception() is None

    def asker(self, host: str) -> Asker:
        """Return what every record of this shop says."""
        named = self._config.proof.controller or host
        asker = self._askers.get(named)
        if asker is None:
            recipients: dict[str, tuple[str, ...]] = {}
            for vendor in self._config.vendors:
                recipients[vendor.purpose] = (*recipients.get(vendor.purpose, ()), vendor.name)
            asker = Asker(
                controller=named,
                jurisdiction=self._config.proof.jurisdiction,
                withdrawal=f"{self._config.prefix}choices",
                recipients=recipients,
            )
            if len(self._askers) < PENDING_KEPT:  # a Host header is free text where no origin is configured
                self._askers[named] = asker
        return asker

    def notice(self, receipt: Receipt) -> Notice:
        """Say what was shown with a choice."""
        digest = next((name for name, _ in self._text_of(receipt.banner)), "")
        language = self._renderer.language_of(receipt.banner)
        return Notice(digest=digest, language=language, policy=receipt.policy_version)

    def _record(
        self, receipt: Receipt, event: Event, subject: str, method: str, host: str, *, is_late: bool = False
    ) -> Record:
        facts = consent_facts(
            self.asker(host),
            event,
            self.notice(receipt),
            granted=receipt.granted,
            refused=receipt.refused,
            method=method,
            gpc=receipt.gpc,
            time=receipt.decided,
            is_late=is_late,
        )
        return Record(
            kind=CONSENT,
            topic=event.value,
            subject=subject,
            time=receipt.decided,
            facts=facts,
            id=receipt.id,
            is_ours=True,
        )

    def _text_of(self, banner: str) -> tuple[Text, ...]:
        if not banner:
            return NO_TEXT
        text = self._texts.get(banner)
        if text is None:
            content = self._renderer.wordings.get(banner, b"")
            text = self._texts[banner] = (sha256(content).hexdigest(), content)
        return (text,)
