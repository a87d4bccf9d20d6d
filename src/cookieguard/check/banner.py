"""What `cookieguard check` says of the banner in a page."""

from __future__ import annotations

from collections.abc import Iterator

from cookieguard.engines.doctor_settings import Finding
from cookieguard.web.banner.free_choice import faults_of

CHECK = "banner"


def examine_banner(page: str, check: str = CHECK) -> Iterator[Finding]:
    """Yield what is to be said of the banner in a page, or of a banner alone."""
    faults = faults_of(page)
    if faults is None:
        mend = "see that the page ends with </body>, and that no template removes the banner"
        yield Finding(check, "the page has none", mend)
        return
    for fault, mend in faults:
        yield Finding(check, fault, mend)
    if not faults:
        yield Finding(check, "refusing is as easy as accepting, and nothing is ticked beforehand")
