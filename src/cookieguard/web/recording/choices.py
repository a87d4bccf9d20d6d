"""A choice on its way into the log: it is acknowledged once it is on disk, and a withdrawal waits for nothing."""

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
    """Write a choice down and wait for it; return the receipt as the cookie is to carry it.

    Where the log does not have it yet, or a limit is reached, what it takes away counts at once, and what it grants
    once it is recorded.
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
    """Name how a choice was made; asked at once, since what waits while the store is down knows no address."""
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
