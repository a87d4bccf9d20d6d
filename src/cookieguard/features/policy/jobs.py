"""What is done with the notices of a policy every hour."""

from __future__ import annotations

from collections.abc import Mapping

from cookieguard.engines.retention import Step, Times
from cookieguard.features.feature import Place
from cookieguard.features.policy.notice_retention import forget_recipients


def jobs_of(place: Place) -> Mapping[str, Step]:
    """Return the step that forgets who was sent a notice."""

    def forget(times: Times) -> int:
        return forget_recipients(place.config, place.state, environ=place.environ, now=times.believed)

    return {"notices": forget}
