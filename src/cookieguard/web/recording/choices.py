"""Write a choice into the consent log: consent is in force once it is on disk, and a withdrawal at once."""

from __future__ import annotations

from dataclasses import replace

from cookieguard.consent import Receipt
from cookieguard.consent.receipts import Source
from cookieguard.web.exchange import Exchange
from cookieguard.web.identity.store_gate import customer_here
from cookieguard.web.identity.store_wait import is_done
from cookieguard.web.recording.choice import Choice

METHODS = {Source.HERE: "banner", Source.PROFILE: "other device", Source.SIGNAL: "Sec-GPC of another device"}


async def record_choice(exchange: Exchange, receipt: Receipt) -> Receipt:
    """Write a choice into the log and wait for it; return the receipt for the cookie.

    If the log does not have it in time, or a limit is reached, withdrawals are in force at once, and consent once it is
    recorded.
    """
    records = exchange.parts.records
    if not records.is_on:
        return receipt
    consent = exchange.consent
    choice = Choice(
        receipt=receipt,
        before=consent.receipt,
        in_force=consent.granted,
        method=_method(exchange, receipt),
        host=exchange.request.origin.host,
        customer=await _customer(exchange),
    )
    receipt, future = records.write(choice, address=exchange.full_address, now=exchange.now)
    if future is not None and not records.is_down and await is_done(future) and future.is_kept:
        return receipt
    return replace(receipt, pending=True, meanwhile=receipt.granted & consent.granted)


def _method(exchange: Exchange, receipt: Receipt) -> str:
    """Return how a choice was made. A choice that waits for the store no longer has the page's address."""
    if receipt.source is not Source.HERE:
        return METHODS[receipt.source]
    if exchange.request.referring_path.startswith(exchange.own_base):
        return "privacy choices page"
    return METHODS[Source.HERE] if receipt.banner else "privacy control"


async def _customer(exchange: Exchange) -> str:
    """Return the number of the customer who is logged in; empty for a guest."""
    identity = exchange.parts.identity
    if identity is None or not identity.is_presented(exchange.jar):
        return ""
    return await customer_here(exchange)
