"""Which language the banner speaks: the page's own, else the browser's, else the shop's default."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from cookieguard.config.languages import find_language

QUALITY = re.compile(r"q\s*=\s*([01](?:\.\d{0,3})?)")
# Browsers send two to ten; a longer list is cut, not refused.
MAX_RANGES = 20
MAX_HEADER = 1000


def pick_language(html_lang: str, accept_language: str, default: str, available: Collection[str]) -> str:
    """Pick one of `available`: `<html lang>` first, then Accept-Language by weight, `default`, English.

    A regional tag (`de-AT`) finds its language (`de`) where the region itself is not there, and another name of a
    language (`iw`, `zh-TW`) the one we have (`he`, `zh-Hant`).
    """
    wanted = [html_lang, *_by_weight(accept_language), default, "en"]
    found = (find_language(tag, available) for tag in wanted)
    return next(filter(None, found), "") or min(available)


def _by_weight(header: str) -> list[str]:
    weighed = sorted(_ranges(header[:MAX_HEADER]), key=lambda pair: -pair[0])
    return [tag for weight, tag in weighed if weight > 0]


def _ranges(header: str) -> Iterator[tuple[float, str]]:
    for item in header.split(",")[:MAX_RANGES]:
        tag, _, parameter = item.partition(";")
        quality = QUALITY.fullmatch(parameter.strip())
        if quality or not parameter.strip():
            yield (float(quality[1]) if quality else 1.0), tag.strip()
