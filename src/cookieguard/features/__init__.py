"""The capabilities of the guard, in the order in which they begin, and what they have together."""

from __future__ import annotations

from cookieguard.features.feature import Feature
from cookieguard.features.outbox import Outbox
from cookieguard.features.people import People
from cookieguard.features.policy import Policy
from cookieguard.features.records import Records
from cookieguard.features.rights import Rights
from cookieguard.features.statistics import Statistics
from cookieguard.features.vault import Vault

# Services first, then those that use them. They close in reverse order.
FEATURES: tuple[Feature, ...] = (Records(), Outbox(), People(), Statistics(), Policy(), Rights(), Vault())
