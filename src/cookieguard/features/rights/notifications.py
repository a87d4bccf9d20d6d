"""Mails about a request: the answer to the person, and one to each vendor that had their data (art. 19 GDPR)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from cookieguard.config import Config, Vendor
from cookieguard.errors import ConfigError, CookieGuardError
from cookieguard.features.outbox.relay import Connection, Later, Refused, RelayDown, Uncertain, relay_of
from cookieguard.features.rights.values.answers import PLAIN, RightsTexts, has_copy
from cookieguard.features.rights.values.requests import (
    TOLD_OF_DELAY,
    WORKER,
    Act,
    Request,
    State,
    answer_told,
    noted,
)
from cookieguard.mail.messages import AddressError, build_message

Change = Callable[[str, Callable[[Request], Request]], Awaitable[Request]]
TIMEOUT = 20.0  # seconds for each step of the SMTP dialogue
USUAL_CODE = 8  # digits; only the last code of a day is longer
ASKED = {
    "erase": "has asked us to erase their personal data. Please erase what you hold about them on our behalf.",
    "deactivate": "has asked us to restrict the processing of their data. Please stop using what you hold about them.",
}


class NotTold(CookieGuardError):
    """Report that a mail was not sent, without naming the recipient."""


class Letters:
    """Send mails by the shop's relay, one after the other."""

    def __init__(self, config: Config, *, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ

    @property
    def can_send(self) -> bool:
        """Return whether a relay and a sender are configured."""
        mail = self._config.mail
        return bool(mail.sender and (mail.url or mail.environment in self._environ))

    def mail_of(self, request: Request, *, now: datetime) -> tuple[str, str, list[str]]:
        """Return language, subject and lines of the mail to the person: the answer, or why it takes longer."""
        texts = RightsTexts.of(self._config.language_for(request.language))
        lines = [request.answer, *self._place_of(request, texts.lang)]
        if request.may_change:
            lines = [texts.line("due", date=request.due(now)).translate(PLAIN), "", request.delay]
        return texts.lang, texts.texts["mail_answer"].translate(PLAIN), [*lines, "", self._signature]

    def _place_of(self, request: Request, lang: str) -> list[str]:
        """Return a line with the address of the copy's page, if there is a copy, the page, and a configured origin."""
        config = self._config
        has_page = config.origins and config.rights.enabled
        if not has_copy(request) or request.state is State.REFUSED or not has_page:
            return []
        return [f"{config.mailed_base}privacy?lang={lang}"]

    async def code(self, address: str, code: str, *, language: str, name: str, now: datetime) -> None:
        """Send a code to the address on file; raises NotTold."""
        texts = RightsTexts.of(self._config.language_for(language))
        said = "mail_code" if len(code) <= USUAL_CODE else "mail_last_code"
        lines = [texts.line(said, code=code).translate(PLAIN), "", texts.texts["mail_ignore"]]
        subject = texts.texts["mail_code_subject"].translate(PLAIN)
        await self.send(
            address, subject, [*lines, "", self._signature], name=name, language=texts.lang, now=now
        )

    async def recipient(self, vendor: Vendor, request: Request, *, now: datetime) -> None:
        """Notify a vendor of an erasure or a restriction; raises NotTold."""
        wish = f"The customer we know as {request.customer} {ASKED[request.kind]}"
        lines = [
            f"To {vendor.name}:",
            "",
            wish,
            f"This is a notification under Article 19 GDPR. Our reference: {request.id}.",
            "",
            self._signature,
        ]
        subject = f"Notification under Article 19 GDPR, {request.id}"
        name = f"{request.id}.{hashlib.sha256(vendor.name.encode()).hexdigest()[:40]}"
        await self.send(vendor.privacy_contact, subject, lines, name=name, language="en", now=now)

    async def send(
        self, address: str, subject: str, lines: Sequence[str], *, name: str, language: str, now: datetime
    ) -> None:
        """Send one mail; raises NotTold. `name` makes the Message-ID, so a repeated mail has the same one."""
        try:
            message = build_message(
                sender=self._config.mail.sender,
                recipient=address,
                subject=subject,
                lines=lines,
                language=language,
                name=name,
                now=now,
            )
            relay = relay_of(self._config.mail, environ=self._environ)
        except (AddressError, ConfigError) as error:
            raise NotTold(str(error)) from error
        connection = Connection(relay, timeout=TIMEOUT)
        try:
            await connection.offer(self._config.mail.sender.rpartition("<")[2].rstrip(">"), address)
            await connection.hand_over(message)
        except (Refused, Later, RelayDown, Uncertain) as error:
            raise NotTold(f"the relay: {type(error).__name__.lower()} {error}") from error
        finally:
            await connection.end()

    @property
    def _signature(self) -> str:
        controller = self._config.controller
        lines = [controller.name or self._config.proof.controller, *controller.address]
        return "\n".join(line for line in lines if line)


async def notify_vendors(
    letters: Letters,
    vendors: Sequence[Vendor],
    request: Request,
    change: Change,
    *,
    clock: Callable[[], datetime],
) -> Request:
    """Mail each vendor that the customer agreed to, once; without a relay, add manual steps. Raises NotTold."""
    to_mail = [
        vendor for vendor in vendors if vendor.name in (request.let_in or ()) and vendor.privacy_contact
    ]
    if not letters.can_send:
        by_hand = [f"tell {vendor.name}" for vendor in to_mail]
        return await change(
            request.id, lambda old: replace(old, steps=tuple(dict.fromkeys((*old.steps, *by_hand))))
        )
    known = {event.name for event in request.events if event.act is Act.NOTE and event.by == WORKER}
    for vendor in to_mail:
        name = f"told {vendor.name}"
        if name not in known:
            await letters.recipient(vendor, request, now=clock())
            note = partial(noted, act=Act.NOTE, now=clock(), by=WORKER, name=name, text="one mail")
            request = await change(request.id, note)
    return request


async def mail(letters: Letters, request: Request, change: Change, *, now: datetime) -> Request:
    """Mail the person the answer, or why it takes longer; raises NotTold.

    Without a mail address or a relay, the person reads the answer on their page, or staff send a letter.
    """
    if not letters.can_send or "@" not in request.contact:
        return request
    is_answer, (lang, subject, lines) = request.answer_pending, letters.mail_of(request, now=now)
    name = f"{request.id}.{'delay' if request.may_change else 'answer'}"
    try:
        await letters.send(request.contact, subject, lines, name=name, language=lang, now=now)
    except NotTold as error:
        error.cookieguard_step = "answer" if is_answer else TOLD_OF_DELAY  # type: ignore[attr-defined]
        raise
    if is_answer:
        return await change(request.id, partial(answer_told, now=now, by=WORKER, text="by mail"))
    note = partial(noted, act=Act.NOTE, now=now, by=WORKER, name=TOLD_OF_DELAY, text="by mail")
    return await change(request.id, note)
