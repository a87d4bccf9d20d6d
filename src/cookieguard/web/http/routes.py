"""Find the route of a page, such as `/products/{id}`, which Starlette, FastAPI and Litestar write into the scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def route_in(scope: Mapping[str, Any], root_path: str) -> str:
    """Return the route in an app's scope; empty if it matches any path. `root_path` is the server's."""
    template = scope.get("path_template")
    if template:
        return str(template)
    route: Any = scope.get("route")
    path = getattr(route, "path", None)
    if not isinstance(path, str) or ":path}" in path or hasattr(route, "routes"):
        return ""
    mounted = scope.get("root_path", "")[len(root_path) :]
    return f"{mounted}{getattr(route, 'path_format', path)}"
