"""The hourly job that deletes old days of the access journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from functools import partial

from cookieguard.engines.retention import Step
from cookieguard.features.feature import Place
from cookieguard.features.people.journal import forget_entries


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the step that deletes entries older than `staff.journal_days`."""
    forget = partial(forget_entries, place.state, keep_days=place.config.staff.journal_days)
    return {"staff journal": lambda times: forget(today=times.believed.astimezone(UTC).date())}
