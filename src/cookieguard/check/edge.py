"""Test a running cache in front of a shop with visitors in several states of consent, for `check --edge`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from secrets import token_hex

from cookieguard.engines.doctor_settings import TIMEOUT_SECONDS, Finding

PAGE = {"accept": "text/html", "sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}
BANNER = 'value="accept"'
KEPT = {"s-maxage": "shared", "no-store": "not stored", "private": "private"}


def examine_edge(url: str) -> Iterator[Finding]:
    """Request a page once for each visitor in static/edge.toml, and yield what each one received."""
    import httpx  # not at the top, because the import is slow

    asked = tomllib.loads(files("cookieguard.static").joinpath("edge.toml").read_text("utf-8"))["request"]
    fresh = {"cg-check": token_hex(4)}  # an address that no cache has yet
    with httpx.Client(timeout=TIMEOUT_SECONDS, headers=PAGE, params=fresh) as client:
        for case in asked:
            try:
                page = client.get(url, headers=case["headers"])
            except httpx.HTTPError as error:
                yield Finding("cache", f"{url}: {type(error).__name__}", "name a page of the running shop")
                return
            control = page.headers.get("cache-control", "")
            kept = next((name for said, name in KEPT.items() if said in control), "not marked")
            found = f"{kept}, {'with' if BANNER in page.text else 'without'} a banner"
            yield Finding(f"cache: {case['state']}", found, "" if found == case["expects"] else case["mend"])
