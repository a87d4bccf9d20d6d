"""Consent: the purposes and vendors of a shop, the decision of a visitor, and the policy that results from it.

Rule: pure logic. This package does no I/O, reads no clock, and does not use HTML rewriting, identity or statistics.
"""

from __future__ import annotations

from cookieguard.consent.cookie_register import CookieRegister
from cookieguard.consent.csp import allowed_pattern, declared_policy, policy_for, strict_policy
from cookieguard.consent.customer_refusals import (
    Restrictions,
    own_word,
    read_restrictions,
    restricted,
    updated_restrictions,
    write_restrictions,
)
from cookieguard.consent.decision import (
    ChoiceError,
    Consent,
    State,
    choose,
    decide,
    local_path,
    state_of,
    write_receipt,
)
from cookieguard.consent.declarations import advice_on, named
from cookieguard.consent.language import pick_language
from cookieguard.consent.receipts import Receipt, Source, from_payload, new_receipt_id, to_payload
from cookieguard.consent.shop_csp import INLINE, LATER, Allowance, Way, allowance
from cookieguard.consent.sites import Site, look_alike, own_hosts, shop_site, site_of
from cookieguard.consent.terms import Matters, Terms
from cookieguard.consent.vendors import Register, Verdict, first_party_line

__all__ = [
    "INLINE",
    "LATER",
    "Allowance",
    "ChoiceError",
    "Consent",
    "CookieRegister",
    "Matters",
    "Receipt",
    "Register",
    "Restrictions",
    "Site",
    "Source",
    "State",
    "Terms",
    "Verdict",
    "Way",
    "advice_on",
    "allowance",
    "allowed_pattern",
    "choose",
    "decide",
    "declared_policy",
    "first_party_line",
    "from_payload",
    "local_path",
    "look_alike",
    "named",
    "new_receipt_id",
    "own_hosts",
    "own_word",
    "pick_language",
    "policy_for",
    "read_restrictions",
    "restricted",
    "shop_site",
    "site_of",
    "state_of",
    "strict_policy",
    "to_payload",
    "updated_restrictions",
    "write_receipt",
    "write_restrictions",
]
