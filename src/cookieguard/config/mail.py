"""`[mail]`: how mail leaves the shop: the relay, the sender, and who the customers are."""

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
# What a relay and all between take as one plain address; the same is asked of customers'.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
# How long a link stops mail: as long as a consent counts. CAN-SPAM asks for 30 days.
STOP_LIFE = timedelta(days=180)
ROOT_PATH = re.compile(r"(/[A-Za-z0-9_.~-]+)*")
KIND = re.compile(rf"({IDENTIFIER.pattern})?")
OBJECT = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Set how notices of the policy and confirmations of marketing mail are sent; needs the extra `mail`."""

    url: str = field(default="", repr=False)  # it may hold a password
    """The relay: `smtp://` (with STARTTLS, but on this machine) or `smtps://`. Empty: no mail is sent."""
    environment: str = "COOKIEGUARD_SMTP"
    """The environment variable that holds the URL; it wins over `url` when it is set."""
    sender: str = ""
    """Who the mail is from: `Shop <privacy@shop.example>`. The relay must sign for its domain (DKIM)."""
    customers: str = ""
    """What yields number, address and language of every active customer, as `module:name`: plain or `async`."""
    lists: tuple[str, ...] = ()
    """The names of marketing lists. Each is off for a customer until they confirm it, and off again by one click."""
    orders: str = ""
    """The id in `[[data]]` of what confirmations of orders are; its basis is `contract`, so nobody is asked."""
    root_path: str = ""
    """The path that the shop lies below, like `/shop`, as its server's `root_path` has it: for links in mails."""
    connections: int = 2
    """How many messages one sender hands to the relay at the same time."""
    keep_days: int = 30
    """How many days after its version took effect the outbox knows who was sent a notice; then only how many."""

    def __post_init__(self) -> None:
        require_mail_url("mail.url", self.url)
        require_types("mail", self)
        require_environment("mail.environment", self.environment)
        require_text("mail.sender", self.sender, empty=True, longest=200)
        if self.sender and not ADDRESS.fullmatch(parseaddr(self.sender)[1]):
            raise ConfigError("mail.sender", was=repr(self.sender), allowed="'Shop <privacy@shop.example>'")
        require_match("mail.customers", self.customers, OBJECT, "empty, or 'module:name'")
        require_distinct("mail.lists", self.lists)
        for one in self.lists:
            require_match("mail.lists", one, IDENTIFIER, "lower-case letters, digits, - and _, at most 40")
        require_match("mail.orders", self.orders, KIND, "empty, or the id of a kind in [[data]]")
        if self.orders and not self.sender:
            raise ConfigError(
                "mail.sender", was="empty", allowed="who the mail is from, where mail.orders is set"
            )
        if self.orders and self.orders in self.lists:
            allowed = "names of lists alone: mail.orders confirms what was bought, and no reader stops that"
            raise ConfigError("mail.lists", was=repr(self.orders), allowed=allowed)
        require_match("mail.root_path", self.root_path, ROOT_PATH, "empty, or a path like '/shop'")
        require_between("mail.connections", self.connections, 1, 20, "connections")
        require_between("mail.keep_days", self.keep_days, 1, 400, "days")


def require_mail_url(setting: str, url: str) -> None:
    """Require a relay's URL, without showing it."""
    require_private_url(setting, url, MAIL_URL, FORMS)
