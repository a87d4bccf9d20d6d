"""The rewriter of cookieguard, with whatever scanner is loaded."""

from __future__ import annotations

from pages import BANNER, SHOP, SHOP_HOST

import cookieguard.html as html
from cookieguard.html import Rewriter, Rules, Ruling, Url

HELD = Ruling("marketing", None)


def judge(url: Url) -> Ruling | None:
    """Hold everything but the shop."""
    return None if url.host == SHOP_HOST else HELD


def scanner() -> str:
    """Name the scanner that runs: compiled or pure."""
    ask = getattr(html, "scanner", None)
    return str(ask()) if ask else "pure"


class Guard:
    """Rewrite with the caches of one `Rules`."""

    aborted = 0

    def __init__(self, wanted: str = "") -> None:
        """Refuse to run as something else than `wanted` (compiled or pure)."""
        if wanted and scanner() != wanted:
            raise LookupError(f"the {wanted} scanner is not there")
        self.name = f"cookieguard, {scanner()}"
        self.forget()

    def forget(self) -> None:
        """Begin with empty caches."""
        self._rules = Rules(judge, SHOP, own_is_free=True)

    def rewrite(self, page: list[bytes]) -> list[bytes]:
        """Rewrite one page; return what a server would send."""
        rewriter = Rewriter(self._rules, insert=lambda _: BANNER.encode())
        out = [rewriter.feed(chunk) for chunk in page]
        out.append(rewriter.close())
        return out
