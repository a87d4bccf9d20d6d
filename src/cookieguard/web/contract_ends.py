"""Hold a vendor from the day after its contract ends: the shop keeps running, and the parts that judge are rebuilt."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.consent import Register
from cookieguard.html import Url
from cookieguard.web.cookies.shop_cookies import ShopCookies
from cookieguard.web.owner_notices import Findings
from cookieguard.web.walls import Walls

logger = logging.getLogger("cookieguard")

NEVER = datetime.max.replace(tzinfo=UTC)
STOPPED = "vendor %s is held for every visitor, by its setting, by the console or while the store is down"
HELD = (
    "vendors.%s.contract_end was %s, so this vendor is held for every visitor; enter the new contract_end when the "
    "contract is renewed, or remove the vendor"
)
Own = tuple[str, ...]


class Judges(NamedTuple):
    """Hold the parts that decide whom a host or a cookie belongs to, and the time at which they must be rebuilt."""

    register: Register
    walls: Walls
    shop_cookies: ShopCookies
    until: datetime


def judges_on(
    config: Config, own: Own, findings: Findings, note_own: Callable[[Url], None], today: date
) -> Judges:
    """Return the judges for a day (UTC), and log each vendor that is held for every visitor."""
    register = Register(
        purposes=config.asked,
        vendors=config.vendors,
        undeclared=config.undeclared,
        first_party_hosts=own,
        today=today,
    )
    for vendor in config.vendors:
        if vendor.held:
            logger.info(STOPPED, vendor.name)
        elif vendor.name in register.lapsed:
            logger.warning(HELD, vendor.name, vendor.contract_end)
    ends = [
        vendor.contract_end
        for vendor in config.vendors
        if vendor.contract_end and not vendor.held and today <= vendor.contract_end < date.max
    ]
    return Judges(
        register,
        Walls(config, register, note_own),
        ShopCookies(config, findings, today),
        datetime.combine(min(ends), time(), UTC) + timedelta(days=1) if ends else NEVER,
    )
