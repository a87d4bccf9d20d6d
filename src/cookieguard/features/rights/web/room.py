"""What the pages of requests share: where customers and staff are served."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.features.rights.own_terms import WatchedTerms
from cookieguard.features.rights.web.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Hold the desk, the terms of single customers, and the consent log; None what this shop does not have."""

    desk: Desk | None
    own_terms: WatchedTerms | None
    log: ConsentLog | None
