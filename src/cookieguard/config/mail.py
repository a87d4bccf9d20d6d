"""`[mail]`: the relay and the sender of mails, the function that lists customers, and the marketing lists."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr

from cookieguard.config.loading.checks import (
    IDENTIFIER,
    require_between,
    require_distinct,
    require_environment,
    require_match,
    require_private_url,
    require_text,
)
from cookieguard.config.loading.types import require_types
from cookieguard.errors import ConfigError

MAIL_URL = re.compile(r"(smtps?://([!-?A-~]+@)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?)?")
FORMS = "empty, 'smtp://user:password@relay.example:587' or 'smtps://relay.example'"
# A plain address that every relay accepts; customers' addresses must have this form too.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
# How long the link that stops mail works: as long as a consent is valid. CAN-SPAM requires 30 days.
STOP_LIFE = timedelta(days=180)
ROOT_PATH = re.compile(r"(/[A-Za-z0-9_.~-]+)*")
KIND = re.compile(rf"({IDENTIFIER.pattern})?")
OBJECT = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Set how policy notices and confirmations of marketing mail are sent; needs the extra `mail`."""

    url: str = field(default="", repr=False)  # it may hold a password
    """The mail relay: `smtp://` (with STARTTLS unless it is on this machine) or `smtps://`. Empty: no mail is sent."""
    environment: str = "COOKIEGUARD_SMTP"
    """The environment variable that holds the URL. If it is set, `url` is not used."""
    sender: str = ""
    """The sender of all mail, like `Shop <privacy@shop.example>`. The relay must sign for its domain (DKIM)."""
    customers: str = ""
    """A function, `module:name`, plain or `async`, that yields number, address and language of each active customer."""
    lists: tuple[str, ...] = ()
    """The names of marketing lists. Customers join a list by confirming it, and leave it with one click."""
    orders: str = ""
    """The id of the `[[data]]` entry for order confirmations. Its basis is `contract`, so they need no consent."""
    root_path: str = ""
    """The path of the shop on its host, like `/shop`: its server's `root_path`. Links in mails begin with it."""
    connections: int = 2
    """How many messages a sender hands to the relay at the same time."""
    keep_days: int = 30
    """How many days after a version takes effect the outbox lists customers who got its notice; then only a number."""

    def __post_init__(self) -> None:
        require_mail_url("mail.url", self.url)
        require_types("mail", self)
        require_environment("mail.environment", self.environment)
        require_text("mail.sender", self.sender, empty=True, longest=200)
        if self.sender and not ADDRESS.fullmatch(parseaddr(self.sender)[1]):
            allowed = "a sender like 'Shop <privacy@shop.example>'"
            raise ConfigError("mail.sender", was=repr(self.sender), allowed=allowed)
        require_match("mail.customers", self.customers, OBJECT, "empty, or 'module:name'")
        require_distinct("mail.lists", self.lists)
        for name in self.lists:
            require_match("mail.lists", name, IDENTIFIER, "a letter a-z, then up to 39 of a-z 0-9 _ -")
        if len({name.replace("_", "-") for name in self.lists}) < len(self.lists):
            allowed = "names that differ in more than - and _, which the consent log writes alike"
            raise ConfigError("mail.lists", was=", ".join(self.lists), allowed=allowed)
        require_match("mail.orders", self.orders, KIND, "empty, or the id of a [[data]] entry")
        if self.orders and not self.sender:
            raise ConfigError(
                "mail.sender", was="empty", allowed="a sender's address, because mail.orders is set"
            )
        if self.orders and self.orders in self.lists:
            allowed = (
                "lists that customers can leave; mail.orders has the same name, and they cannot leave it"
            )
            raise ConfigError("mail.lists", was=repr(self.orders), allowed=allowed)
        require_match("mail.root_path", self.root_path, ROOT_PATH, "empty, or a path like '/shop'")
        require_between("mail.connections", self.connections, 1, 20, "connections")
        require_between("mail.keep_days", self.keep_days, 1, 400, "days")


def require_mail_url(setting: str, url: str) -> None:
    """Require the URL of a relay; the error does not show it, because it may hold a password."""
    require_private_url(setting, url, MAIL_URL, FORMS)
