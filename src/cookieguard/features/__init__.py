"""The capabilities of the guard: services first, then those that use them."""

from __future__ import annotations

from cookieguard.features.feature import Feature
from cookieguard.features.outbox import Outbox
from cookieguard.features.people import People
from cookieguard.features.policy import Policy
from cookieguard.features.records import Records
from cookieguard.features.rights import Rights
from cookieguard.features.statistics import Statistics
from cookieguard.features.vault import Vault

FEATURES: tuple[Feature, ...] = (Records(), Outbox(), People(), Statistics(), Policy(), Rights(), Vault())
