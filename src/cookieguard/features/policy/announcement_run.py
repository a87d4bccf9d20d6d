"""The mails that announce a policy version: every customer's address, sealed in the outbox, and the text they get."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from cookieguard.config import Config
from cookieguard.config.languages import language_of
from cookieguard.engines.named_object import load_named
from cookieguard.errors import ConfigError
from cookieguard.features.outbox.outbox import Claimed, Outbox, Row, State
from cookieguard.features.outbox.recipients import Recipients, key_of_run, who_of
from cookieguard.features.outbox.sending import Mail
from cookieguard.features.policy.values.versions import Version
from cookieguard.mail.customers import Customer, Customers
from cookieguard.mail.messages import AddressError, build_message, require_address
from cookieguard.web.http.policy_texts import PolicyTexts, objection_place

AT_ONCE = 1_000  # rows in one transaction
ISOLATES = dict.fromkeys(map(ord, "\u2066\u2068\u2069"))  # some mail programs show these marks as boxes
NO_ADDRESS = "no address"


async def fill_run(
    outbox: Outbox,
    run: str,
    customers: Customers,
    recipients: Recipients,
    *,
    now: datetime,
    progress: Callable[[int], None],
) -> int:
    """Add a notice for every customer, mark the run as complete, and return how many notices are new.

    It can be repeated: customers who are in the run already get no second notice.
    """
    key = key_of_run(outbox, run, recipients, now)
    added = 0
    async for batch in _batches(every_customer(customers)):
        good, bad = [], []
        for customer in batch:
            row = Row(who_of(key, customer.number), "")
            try:
                fields = {"address": require_address(customer.address), "language": customer.language[:20]}
                good.append(row._replace(recipient=recipients.seal(fields, now)))
            except AddressError:
                bad.append(row)
        added += outbox.add(run, good) + (outbox.add(run, bad, State.REFUSED, NO_ADDRESS) if bad else 0)
        progress(added)
    outbox.fill(run)
    return added


def load_customers(setting: str) -> Customers:
    """Import the shop's function that yields the customers, `module:name`, from the working directory or packages."""
    if not setting:
        allowed = "'module:name' of a function that yields number, address and language"
        raise ConfigError("mail.customers", was="empty", allowed=allowed)
    found: Customers = load_named("mail.customers", setting, allowed="'module:name' that can be imported")
    if not callable(found):
        raise ConfigError("mail.customers", was=f"{setting}, which is not callable", allowed="a function")
    return found


def read_customer(found: Iterable[object]) -> Customer:
    """Return a customer of a database row: the number may be an integer, and address or language may be None."""
    return Customer(*("" if value is None else str(value) for value in found))


class Notices:
    """Build the notices of announced versions."""

    def __init__(
        self, config: Config, versions: Sequence[Version], recipients: Recipients, now: datetime
    ) -> None:
        self._config = config
        self._by_run = {run_of(version): version for version in versions}
        self._recipients = recipients
        self._now = now
        self._shop = require_origin(config)
        self._lines: dict[tuple[str, str], tuple[str, str, list[str]]] = {}

    def build(self, claimed: Claimed) -> Mail:
        """Return the notice for one customer; raises ValueError if its address or its version cannot be read."""
        fields = self._recipients.open(claimed.recipient)
        version = self._by_run.get(claimed.run)
        if version is None:
            raise ValueError("its version is not in policy.folder here")
        language, subject, lines = self.text(version, fields.get("language", ""))
        message = build_message(
            sender=self._config.mail.sender,
            recipient=fields["address"],
            subject=subject,
            lines=lines,
            language=language,
            name=f"{claimed.run}.{claimed.who}",
            now=self._now,
        )
        return Mail(fields["address"], message)

    def text(self, version: Version, wanted: str) -> tuple[str, str, list[str]]:
        """Return a version's notice for a language tag: the language that was found, the subject and the lines."""
        language, text = version.text(wanted, language_of(self._config.consent.language))
        key = (version.name, language)
        if key not in self._lines:
            texts = PolicyTexts.of(self._config.language_for(language))
            address = f"{self._config.mailed_base}policy/{version.name}"
            shop = self._shop.partition("://")[2]
            objection = objection_place(self._config, self._config.mailed_base).removeprefix("mailto:")
            if self._config.rights.enabled:
                objection += f"?lang={language}"
            lines = [
                texts.line("mail_intro", date=version.effective).replace("{shop}", shop),
                "",
                *(f"- {line}" for line in text.summary),
                "",
                texts.texts["material" if version.is_material else "wording"],
                "",
                texts.texts["mail_changes"],
                f"{address}/changes?lang={language}",
                "",
                texts.texts["mail_full"],
                f"{address}?lang={language}",
                "",
                *((texts.texts["mail_object"], objection, "") if objection else ()),
                texts.texts["mail_why"],
            ]
            subject = texts.line("mail_subject", date=version.effective)
            plain = [line.translate(ISOLATES) for line in lines]
            self._lines[key] = language, subject.translate(ISOLATES), plain
        return self._lines[key]


def run_of(version: Version) -> str:
    """Return the name of a version's run in the outbox."""
    return run_named(version.name)


def run_named(name: str) -> str:
    """Return the name of the run in the outbox, for the version of this name."""
    return f"policy-{name}"


def require_origin(config: Config) -> str:
    """Return the shop's origin, for links in mails; raises ConfigError if it or mail.sender is not configured."""
    if not config.origins:
        allowed = "the shop's own, such as 'https://shop.example', since links in mails begin with it"
        raise ConfigError("origins", was="empty", allowed=allowed)
    if not config.mail.sender:
        raise ConfigError("mail.sender", was="empty", allowed="'Shop <privacy@shop.example>'")
    return config.origins[0]


async def every_customer(customers: Customers) -> AsyncIterator[Customer]:
    """Yield the customers of a shop's function, async or plain. A plain one runs in one thread, as drivers need it."""
    with ThreadPoolExecutor(1, thread_name_prefix="cookieguard-customers") as thread:
        ask = partial(asyncio.get_running_loop().run_in_executor, thread)
        found: Any = await ask(customers)  # calling an async function only creates what is awaited below
        found = await found if inspect.isawaitable(found) else found
        if hasattr(found, "__aiter__"):
            async for row in found:
                yield read_customer(row)
            return
        rows = iter(found)
        while batch := await ask(lambda: list(islice(rows, AT_ONCE))):
            for row in batch:
                yield read_customer(row)


async def count_customers(customers: Customers) -> int:
    """Return how many customers a shop's function yields."""
    return sum([1 async for _ in every_customer(customers)])


async def _batches(customers: AsyncIterator[Customer]) -> AsyncIterator[list[Customer]]:
    batch: list[Customer] = []
    async for customer in customers:
        batch.append(customer)
        if len(batch) >= AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
