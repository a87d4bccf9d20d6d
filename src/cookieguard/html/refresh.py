"""Where a `<meta http-equiv=refresh>` leads (HTML, "shared declarative refresh steps")."""

from __future__ import annotations

import re

REFRESH = re.compile(r"[\t\n\v\f\r ]*[0-9.]*[\t\n\f\r ]*(?:[;,][\t\n\f\r ]*|(?<=[\t\n\f\r ]))(.*)", re.DOTALL)
REFRESH_URL = re.compile(r"[uU][rR][lL][\t\n\f\r ]*=[\t\n\f\r ]*(.*)", re.DOTALL)


def refresh_url(content: str) -> str | None:
    """Return the reference in a refresh; "" for the page itself, None where the content is no refresh."""
    match = REFRESH.match(content)
    if match is None:
        return None
    named = REFRESH_URL.match(match[1])
    url: str = named[1] if named else match[1]
    return url[1:].partition(url[0])[0] if url[:1] in ("'", '"') else url
