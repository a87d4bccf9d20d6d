"""Agreements on forms of the shop, such as newsletter, terms and age: they are recorded, ticked or not, and read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from cookieguard.config.languages import language_of
from cookieguard.features.records.log_reader import newest_rows, opened
from cookieguard.features.records.store.protocol import Stores
from cookieguard.features.records.values.canonical import canonical
from cookieguard.features.records.values.consents import AGREEMENT, agreement_record
from cookieguard.features.records.values.log import Text
from cookieguard.features.records.values.records import KIND, Record, browser, customer, new_id, read_document
from cookieguard.features.records.values.shown import text_of
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_wait import is_done
from cookieguard.web.parts.ports import Agreement, Agreements

LONGEST_TEXT = 100_000  # characters of the text that was shown with a box
MOST_DETAILS = 50_000  # bytes of JSON
NAMED = "named:"
TEXTS_KEPT = 32  # of 100 kB at most each


class AgreementLog(Agreements):
    """Record a visitor's agreements, and return the newest ones."""

    def __init__(self, log: ConsentLog) -> None:
        self._log = log

    def agree(self, asked: Exchange, form: Mapping[str, Any], *, who: str) -> Agreement:
        """Record an agreement; the response waits until it is on disk. Raises ValueError for a field out of range."""
        topic, given, log, now = form["topic"], form["given"], self._log, asked.now
        if not KIND.fullmatch(topic):
            raise ValueError("topic: allowed are at most 40 lower-case letters, digits and -")
        if not 0 < len(form["text"]) <= LONGEST_TEXT:
            raise ValueError(f"text has {len(form['text'])} characters; allowed: 1 to {LONGEST_TEXT}")
        text, details = shown_text(form["text"]), copied(form["details"])
        subject = subject_of(asked, who) or browser(new_id())  # an unknown visitor gets a new subject
        subject.encode()  # raises ValueError for half a surrogate pair now, so that the shop sees it
        record_id, host = new_id(), asked.request.origin.host
        language = form["language"] or language_of(asked.parts.config.consent.language)
        texts, notice = log.shown_with_form(text, language=language, terms=asked.parts.policy.terms(now))

        def draft() -> Record:
            return agreement_record(
                log.asker(host),
                notice,
                topic=topic,
                given=given,
                details=details,
                method="form",
                time=now,
                subject=subject,
                id=record_id,
            )

        future = log.writer.append_later(record_id, draft, texts=texts)
        asked.promised += (future,)
        return Agreement(topic=topic, given=given, time=now, id=record_id, details=details, recorded=future)

    async def newest(self, asked: Exchange, who: str) -> tuple[Agreement, ...]:
        """Return a visitor's newest agreement of each topic; empty if the log does not answer."""
        subject = subject_of(asked, who)
        if not subject:
            return ()
        for promise in asked.promised:  # agreements made in this same request are included
            await is_done(promise)
        return await self._log.read(partial(read_agreements, subject=subject)) or ()


@lru_cache(maxsize=TEXTS_KEPT)
def shown_text(text: str) -> Text:
    """Return a text with its digest, as the log stores it. It is cached, since a form shows all visitors one text."""
    return text_of(text.encode())


def copied(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the details that later changes do not reach; raises ValueError if JSON cannot hold them."""
    written = canonical(dict(details))
    if len(written) > MOST_DETAILS:
        raise ValueError(f"details have {len(written)} bytes; allowed: at most {MOST_DETAILS}")
    return read_document(written)


def subject_of(asked: Exchange, named: str) -> str:
    """Return the customer as a subject, else the shop's name for them, else the browser that chose before, else ""."""
    identity = asked.parts.identity
    number = asked.session.customer if identity is not None and identity.is_presented(asked.jar) else None
    if number:
        return customer(number)
    if named:
        return NAMED + named
    receipt = asked.peek_consent().receipt
    return "" if receipt is None or not receipt.subject else browser(receipt.subject)


def read_agreements(stores: Stores, subject: str) -> tuple[Agreement, ...]:
    """Return the newest agreement of each topic, in the order of their topics."""
    newest: dict[str, Agreement] = {}
    for row in newest_rows(stores, subject, AGREEMENT, 1):
        found = opened(stores, row)
        topic = found.kind.partition(":")[2]
        if not found.record:
            continue
        document = read_document(found.record)
        newest[topic] = Agreement(
            topic=topic,
            given=document["cg:given"] is True,
            time=datetime.fromtimestamp(found.milliseconds / 1000, UTC),
            id=str(document["dct:identifier"]),
            details=document["cg:details"],
        )
    return tuple(newest[topic] for topic in sorted(newest))
