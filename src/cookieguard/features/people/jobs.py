"""What is done with the access journal every hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from cookieguard.engines.retention import Step, Times
from cookieguard.features.feature import Place
from cookieguard.features.people.journal import forget_entries


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the step that forgets old entries."""
    days = place.config.staff.journal_days

    def forget(times: Times) -> int:
        return forget_entries(place.state, today=times.believed.astimezone(UTC).date(), keep_days=days)

    return {"staff journal": forget}
