"""Writing of choices into a worker's consent log, with its limits, and the check whether a choice is on disk yet.

Rule: this module does not read requests. The callers pass in all that a record says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from cookieguard.config import Config
from cookieguard.config.purposes import NECESSARY
from cookieguard.consent import Consent, Receipt, Terms
from cookieguard.consent.receipts import Source
from cookieguard.errors import ConfigError
from cookieguard.features.records.choice_budget import CHOICE_BYTES, ChoiceBudget
from cookieguard.features.records.hook import DecisionHook, OnDecision
from cookieguard.features.records.log_reader import LogReader
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.consents import (
    Asker,
    Event,
    Indication,
    Notice,
    consent_record,
    event_of,
)
from cookieguard.features.records.values.log import Acknowledgement, Text
from cookieguard.features.records.values.records import Record, browser, customer, new_id
from cookieguard.features.records.values.shown import BANNER, FORM, PLACEHOLDER, shown_as, text_of
from cookieguard.features.records.writer import LogWriter
from cookieguard.rate_limit import RateLimit
from cookieguard.web.banner.renderer import Renderer
from cookieguard.web.http.policy_texts import News, news_key
from cookieguard.web.identity.store_wait import answer_of
from cookieguard.web.parts.ports import Ports, Records
from cookieguard.web.recording.choice import Choice

Answer = TypeVar("Answer")

PENDING_KEPT = 4096  # receipts that came back in cookies before the log had their records
# Per cookie and worker. A visitor who clicks every placeholder of a page needs fewer. Refusals are counted separately,
# so that a refusal after too many grants is still recorded.
GRANTS_A_MINUTE, REFUSALS_A_MINUTE = 10, 20
BEYOND = frozenset({NECESSARY})
SHEETS = {BANNER: "banner", FORM: "page", PLACEHOLDER: "embed"}
ShownNotice = tuple[tuple[Text, ...], Notice]
"""The texts that were shown with a choice, and the notice by which the record names them."""


class ConsentLog(Records):
    """Record choices. Owns the acknowledgements of receipts that came back pending."""

    is_on = True

    def __init__(
        self,
        writer: LogWriter,
        budget: ChoiceBudget,
        config: Config,
        renderer: Renderer,
        *,
        ports: Ports,
    ) -> None:
        self.writer = writer
        self._ports = ports  # read late, since the policy's part is made after this one
        self._budget = budget
        self._pending: dict[str, Acknowledgement] = {}
        self._grants = RateLimit(GRANTS_A_MINUTE, seconds=60)
        self._refusals = RateLimit(REFUSALS_A_MINUTE, seconds=60)
        self._reader = LogReader(writer.open_stores)
        self._use(config, renderer)

    def _use(self, config: Config, renderer: Renderer) -> None:
        self._bytes = CHOICE_BYTES + sum(len(vendor.name.encode()) for vendor in config.vendors)
        self._config = config
        self._renderer = renderer
        self._purposes = frozenset(purpose.id for purpose in config.asked) - BEYOND
        self._askers: dict[str, Asker] = {}
        self._asked = {
            purpose.id: [vendor.name for vendor in config.vendors if vendor.purpose == purpose.id]
            for purpose in config.asked
            if purpose.id not in BEYOND
        }
        sheets = [asset for asset in renderer.assets.values() if asset.name.endswith(".css")]
        self._sheets = {sheet.name.partition(".")[0]: sheet.content for sheet in sheets}
        self._shown: dict[tuple[str, ...], ShownNotice] = {}

    def renewed(self, config: Config, renderer: Renderer) -> ConsentLog:
        """Return the same log for a new configuration, whose vendors its records name from now on."""
        other = copy(self)
        other._use(config, renderer)
        return other

    async def read(self, question: Callable[[Stores], Answer]) -> Answer | None:
        """Return the stores' answer to a question, None if there is no log yet, or if it does not answer in time."""
        return await answer_of(self._reader.ask(question)) if self.writer.exists else None

    def look_ahead(self, now: datetime) -> None:
        """Read the files of the limits. A thread calls this, so that no request waits for the disk."""
        self._budget.look_ahead(now)

    def close(self, deadline: float = math.inf) -> None:
        """Write the waiting records, and end the threads."""
        self.writer.close(deadline)
        self._reader.close(deadline)
        self._budget.close()

    @property
    def is_down(self) -> bool:
        return self.writer.is_down

    def subject(self, known: str) -> str:
        return known or new_id()

    def write(self, choice: Choice, *, address: str, now: datetime) -> tuple[Receipt, Acknowledgement | None]:
        """Record a choice; return the receipt with its subject, and the acknowledgement, which ends once it is on disk.

        It is None if a limit is reached. Then only the cookie has the choice, until a later request may record it.
        """
        receipt = choice.receipt
        if not receipt.subject:
            receipt = replace(receipt, subject=new_id())
        if not self._may_write(receipt, choice.in_force, address, now):
            return receipt, None
        texts, notice = self._shown_with(receipt)
        draft = partial(self._record_of, choice, receipt.subject, notice)
        return receipt, self.writer.append_later(receipt.id, draft, texts=texts)

    def _record_of(self, choice: Choice, subject: str, notice: Notice) -> Record:
        """Return the record of a choice. The writer's thread calls this, so that no request waits for it."""
        receipt = choice.receipt
        before = None if choice.before is None else choice.in_force - BEYOND
        event = event_of(before, receipt.granted - BEYOND, self._purposes)
        if receipt.source is Source.SIGNAL:
            event = Event.GPC
        named = customer(choice.customer) if choice.customer else browser(subject)
        return self._record(receipt, event, named, notice, method=choice.method, host=choice.host)

    def _may_write(self, receipt: Receipt, in_force: frozenset[str], address: str, now: datetime) -> bool:
        """Return whether the cookie's limit per minute and its network's limit per day allow one more record."""
        turns = self._grants if receipt.granted - in_force else self._refusals
        return turns.take(receipt.subject, now) and self._budget.spend(address, self._bytes, now)

    def is_recorded(self, receipt: Receipt, *, host: str, address: str, now: datetime) -> bool:
        if not receipt.pending:
            return False
        future = self._pending.get(receipt.id)
        if future is None and not self._may_write(receipt, receipt.in_force, address, now):
            return False
        if future is None or (future.done() and future.exception() is not None):
            if len(self._pending) >= PENDING_KEPT:
                self._pending.pop(next(iter(self._pending), ""), None)  # another thread may do the same
            texts, notice = self._shown_with(receipt)
            draft = partial(self._late_record, receipt, notice, host)
            future = self._pending[receipt.id] = self.writer.append_later(receipt.id, draft, texts=texts)
        return future.is_kept

    def _late_record(self, receipt: Receipt, notice: Notice, host: str) -> Record:
        event = event_of(None, receipt.granted - BEYOND, self._purposes)
        named = browser(receipt.subject)
        return self._record(receipt, event, named, notice, method="cookie", host=host, is_late=True)

    def asker(self, host: str) -> Asker:
        """Return the facts that are the same in every record of this shop."""
        named = self._config.proof.controller or host
        asker = self._askers.get(named)
        if asker is None:
            seconds = self._config.cookies.consent.max_age
            recipients: dict[str, tuple[str, ...]] = {}
            for vendor in self._config.vendors:
                recipients[vendor.purpose] = (*recipients.get(vendor.purpose, ()), vendor.name)
            asker = Asker(
                controller=named,
                jurisdiction=self._config.proof.jurisdiction,
                withdrawal=f"{self._config.prefix}choices",
                recipients=recipients,
                life=timedelta(seconds=seconds) if seconds else None,
            )
            if len(self._askers) < PENDING_KEPT:  # without origins in the settings, Host can be any text
                self._askers[named] = asker
        return asker

    def shown_with_form(self, text: Text | None, *, language: str, terms: Terms | None) -> ShownNotice:
        """Return the notice of a form: its text (None if it had none) and the policy's version at that time."""
        policy = self._config.policy.version if terms is None else terms.version
        wordings = {} if text is None else {FORM: text}
        digest = "" if text is None else text[0]
        return self._notice_of(digest, policy=policy, language=language, wordings=wordings, asked={})

    def _shown_with(self, receipt: Receipt) -> ShownNotice:
        """Return the texts that were shown with a choice, and the notice that its record has."""
        news = self._ports.policy.upcoming(receipt.decided.date())
        key = receipt.banner, receipt.policy_version, receipt.text, news_key(news)
        known = self._shown.get(key)
        if known is not None:
            return known
        # Another worker may have shown the banner, in a language this one has not rendered yet; or a former release.
        banner = self._renderer.known_banner(receipt.banner)
        language = self._renderer.language_of(banner)
        wordings = self._wordings(banner, language, news) if banner else {}
        digest = wordings.get(PLACEHOLDER, wordings.get(BANNER, ("", b"")))[0]
        styles = {place: text_of(self._sheets[SHEETS[place]]) for place in wordings}
        noticed = self._notice_of(
            digest,
            policy=receipt.policy_version,
            language=language,
            wordings=wordings,
            asked=self._asked,
            styles=styles,
        )
        if banner == receipt.banner and len(self._shown) < PENDING_KEPT:
            self._shown[key] = noticed
        return noticed

    def _notice_of(self, digest: str, *, policy: str, language: str, **more: Any) -> ShownNotice:
        texts = self._ports.policy.texts_of(policy)
        shown = shown_as(policy=policy, policy_texts=texts, language=language, **more)
        return shown.texts, Notice(digest=digest, language=language, policy=policy, shown=shown.digest)

    def _wordings(self, banner: str, language: str, news: News | None) -> dict[str, Text]:
        """Return a language's banner and form of choices, and the placeholder if the visitor answered that."""
        renderer = self._renderer
        _, place, again = renderer.wording_hashes(language)
        form = renderer.choices_page(language, Consent(), base=self._config.prefix, next_="")
        shown = {BANNER: renderer.wording(language, news, again=banner == again), FORM: form}
        if banner == place:
            shown[PLACEHOLDER] = renderer.wordings[banner]
        return {place: text_of(content) for place, content in shown.items()}

    def _record(
        self,
        receipt: Receipt,
        event: Event,
        subject: str,
        notice: Notice,
        *,
        method: str,
        host: str,
        is_late: bool = False,
    ) -> Record:
        choice = Indication(
            event=event,
            notice=notice,
            granted=receipt.granted,
            refused=receipt.refused,
            method=method,
            gpc=receipt.gpc,
            is_late=is_late,
        )
        return consent_record(self.asker(host), choice, time=receipt.decided, subject=subject, id=receipt.id)


def hook_of(on_decision: OnDecision | None, log: LogWriter | None) -> DecisionHook | None:
    """Return the caller of the shop's hook, None without a hook. Raises ConfigError if the hook cannot be called."""
    if on_decision is None:
        return None
    if not callable(on_decision):
        raise ConfigError("on_decision", was=type(on_decision).__name__, allowed="a function, plain or async")
    if log is None:
        raise ConfigError(
            "on_decision",
            was="set although proof.enabled is false",
            allowed="proof.enabled = true, since the log calls the function",
        )
    return DecisionHook(on_decision, log)
