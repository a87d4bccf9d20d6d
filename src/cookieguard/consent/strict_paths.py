"""Pages that let in nobody but who is necessary, by their paths: a checkout, an account."""

from __future__ import annotations

from collections.abc import Iterable

from cookieguard.consent.vendors import STRICT, WITHOUT, as_backends_read


class StrictPaths:
    """Hold the declared paths; each stands for its page and all below it.

    >>> StrictPaths(["/checkout"]).has("//Checkout/card"), StrictPaths(["/checkout"]).has("/checkouts")
    (True, False)
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._folders = tuple(as_backends_read(one).rstrip("/") + "/" for one in paths)

    def has(self, path: str) -> bool:
        """Return whether a decoded path is one of them, as the most lenient of backends reads it."""
        return bool(self._folders) and (as_backends_read(path).rstrip("/") + "/").startswith(self._folders)

    def narrowed(self, granted: frozenset[str], path: str) -> frozenset[str]:
        """Return what counts of these on a page: on a strict one only what takes away."""
        if not self.has(path):
            return granted
        return frozenset({STRICT, *(name for name in granted if name.startswith(WITHOUT))})
