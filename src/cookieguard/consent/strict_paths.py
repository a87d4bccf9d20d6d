"""Pages that let in nobody but who is necessary, by their paths: a checkout, an account."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from cookieguard.consent.vendors import STRICT, WITHOUT, as_backends_read


class StrictPaths:
    """Hold the declared paths; each stands for its page and all below it.

    >>> StrictPaths(["/checkout"]).has("//Checkout/card"), StrictPaths(["/checkout"]).has("/checkouts")
    (True, False)
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.folders = tuple(as_backends_read(unquote(one)).rstrip("/") + "/" for one in paths)

    def has(self, path: str) -> bool:
        """Return whether a decoded path is one of them, as it stands or as the most lenient of backends reads it.

        `/checkout/..%2Fa` is both: routers take it as it stands, and a path below `/checkout` in it.
        """
        if not self.folders:
            return False
        ways = path.lower(), as_backends_read(path)
        return any((one.rstrip("/") + "/").startswith(self.folders) for one in ways)

    def narrowed(self, granted: frozenset[str], path: str) -> frozenset[str]:
        """Return what counts of these on a page: on a strict one only what takes away."""
        if not self.has(path):
            return granted
        return frozenset({STRICT, *(name for name in granted if name.startswith(WITHOUT))})
