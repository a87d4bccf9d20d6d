"""A context processor that adds `visitor` to every template of Jinja and Django.

Starlette takes the function itself, Django its dotted path, and Flask and Quart call it; see docs/frameworks.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cookieguard.web.visitor import HasEnviron, HasScope, Visitor, visitor_of


def visitor_context(request: HasScope | HasEnviron | Mapping[str, Any]) -> dict[str, Visitor]:
    """Return the context of a template: the Visitor under the name `visitor`.

    Consent, session and cart are read only if a template uses them, and only then does the page depend on them. Raises
    CookieGuardError if the app is not wrapped in CookieGuard.
    """
    return {"visitor": visitor_of(request)}
