"""What templates may know of a visitor: `visitor` in every template of Jinja and Django.

Starlette takes the function itself, Django its dotted path, Flask and Quart call it: docs/frameworks.md has the lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cookieguard.web.visitor import HasEnviron, HasScope, Visitor, visitor_of


def visitor_context(request: HasScope | HasEnviron | Mapping[str, Any]) -> dict[str, Visitor]:
    """Return what a template gets, as a context processor does: the Visitor under the name `visitor`.

    Nothing is opened here: consent, session and cart are read where a template asks for them, and only then does the
    page depend on them. Raises CookieGuardError where no CookieGuard is around the app.
    """
    return {"visitor": visitor_of(request)}
