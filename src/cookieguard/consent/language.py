"""Picks the banner's language: the page's own, or the browser's, or the shop's default."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from cookieguard.config.languages import find_language

QUALITY = re.compile(r"q\s*=\s*([01](?:\.\d{0,3})?)")
# Browsers send two to ten ranges. A longer list is shortened, not refused.
MAX_RANGES = 20
MAX_HEADER = 1000


def pick_language(html_lang: str, accept_language: str, default: str, available: Collection[str]) -> str:
    """Return one of `available`: by `<html lang>`, then Accept-Language by weight, `default`, and English.

    A regional tag (`de-AT`) matches its language (`de`) if the region is not available, and another tag for the same
    language (`iw`, `zh-TW`) matches the available one (`he`, `zh-Hant`).
    """
    weighed = sorted(_ranges(accept_language[:MAX_HEADER]), key=lambda pair: -pair[0])
    wanted = [html_lang, *(tag for weight, tag in weighed if weight > 0), default, "en"]
    found = (find_language(tag, available) for tag in wanted)
    return next(filter(None, found), "") or min(available)


def _ranges(header: str) -> Iterator[tuple[float, str]]:
    for item in header.split(",")[:MAX_RANGES]:
        tag, _, parameter = item.partition(";")
        quality = QUALITY.fullmatch(parameter.strip())
        if quality or not parameter.strip():
            yield (float(quality[1]) if quality else 1.0), tag.strip()
