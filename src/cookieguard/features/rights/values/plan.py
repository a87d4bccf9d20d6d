"""The steps that each kind of request takes, in their order, and their names for staff."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from cookieguard.config import Config
from cookieguard.features.rights.values.rules import RequestKind


class Step(StrEnum):
    """Name a step that a worker does."""

    SESSIONS = "sessions"
    """All sessions of the customer end, on every worker within 5 s; no browser remembers them."""
    STORED = "stored"
    """Data stored under the customer number are deleted: cart, ids of orders, refusals, mailing lists."""
    SHOP = "shop"
    """The shop's hook erases the customer or restricts the processing."""
    RECIPIENTS = "recipients"
    """Each vendor that the customer agreed to gets one mail (art. 19 GDPR)."""
    LOG = "log"
    """The key of their records in the consent log is destroyed."""
    COLLECT = "collect"
    """The shop's hook exports the data for the copy."""
    SIGNAL = "signal"
    """The opt-out applies on all of the customer's devices."""


MEANING: dict[str, str] = {
    Step.SESSIONS.value: "logs them out on every device",
    Step.STORED.value: "deletes cart, orders and refusals that cookieguard keeps",
    Step.SHOP.value: "deals with the shop's own data",
    Step.RECIPIENTS.value: "notifies each vendor that the customer agreed to, with one mail",
    Step.LOG.value: "destroys the key of their records in the consent log",
    Step.COLLECT.value: "collects the copy of their data",
    Step.SIGNAL.value: "applies the opt-out on every device",
}
"""The work of each step, in words for staff; a manual step is named by its work."""
BY_HAND = {
    Step.SHOP.value: "the shop's own data",
    Step.COLLECT.value: "the copy of their data",
    "by hand": "your own systems",
}
"""The work that staff do in a manual step; an entry of `rights.by_hand` is shown as it is."""
NAMES: dict[RequestKind, str] = {
    RequestKind.EXPORT: "request for a copy",
    RequestKind.CORRECT: "request for a correction",
    RequestKind.ERASE: "request for erasure",
    RequestKind.DEACTIVATE: "request to stop using data",
    RequestKind.OBJECT: "objection",
    RequestKind.OPT_OUT: "opt-out",
}
"""The name of each kind of request, as staff read it."""
WORK: dict[RequestKind, tuple[Step, ...]] = {
    RequestKind.EXPORT: (Step.COLLECT,),
    RequestKind.CORRECT: (),
    RequestKind.ERASE: (Step.SESSIONS, Step.STORED, Step.SHOP, Step.RECIPIENTS, Step.LOG),
    RequestKind.DEACTIVATE: (Step.SESSIONS, Step.SHOP, Step.RECIPIENTS),
    RequestKind.OBJECT: (),
    RequestKind.OPT_OUT: (Step.SIGNAL,),
}
OPT_OUT_BY_HAND = "opt out of sale and sharing"  # if refusals do not follow customers to their devices
NEEDS_HOOKS = (Step.SHOP, Step.COLLECT)
BY_WORDS = tuple(kind for kind, steps in WORK.items() if not steps)  # staff write the answer


def steps_of(kind: RequestKind, config: Config) -> tuple[str, ...]:
    """Return the steps of a request; staff do by hand what neither cookieguard nor a hook can do."""
    found: list[str] = []
    for step in WORK[kind]:
        if step is Step.RECIPIENTS:
            has_contact = config.console.applies or any(vendor.privacy_contact for vendor in config.vendors)
            found += [step.value] if has_contact else []
        elif step is Step.SIGNAL and not follows(config):
            found.append(OPT_OUT_BY_HAND)
        elif step is Step.LOG and not config.proof.enabled:
            continue
        else:
            found.append(step.value)
        if step is Step.SHOP and kind is RequestKind.ERASE:
            found += config.rights.by_hand
    return tuple(found)


def by_hand(steps: Sequence[str], *, has_hooks: bool) -> tuple[str, ...]:
    """Return the steps that staff must do by hand."""
    ours = {step.value for step in Step if has_hooks or step not in NEEDS_HOOKS}
    return tuple(step for step in steps if step not in ours)


def follows(config: Config) -> bool:
    """Return whether a customer's refusals apply on all of their devices."""
    return config.consent.enabled and config.consent.follow_customer and config.identity.enabled
