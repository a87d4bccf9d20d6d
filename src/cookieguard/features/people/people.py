"""The shop's people, as the requests of a worker ask about them."""

from __future__ import annotations

from dataclasses import dataclass

from cookieguard.features.people.access import Access
from cookieguard.features.people.journal import Journal
from cookieguard.features.people.sessions import StaffSessions
from cookieguard.features.people.staff_list import StaffAuthenticator
from cookieguard.rate_limit import RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Hold who may sign in, who is signed in, what they saw, and the codes by which customers let them see it."""

    staff: StaffAuthenticator
    sessions: StaffSessions
    journal: Journal
    access: Access
    code_turns: RateLimit
    """Of each customer: every code is a record of the consent log."""
