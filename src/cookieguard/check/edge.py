"""What a running cache in front of a shop makes of visitors in several states: which line it lacks."""

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
    """Ask for a page ten times, as static/edge.toml has it, and yield what each visitor got."""
    import httpx  # as in the doctor

    asked = tomllib.loads(files("cookieguard.static").joinpath("edge.toml").read_text("utf-8"))["request"]
    fresh = {"cg-check": token_hex(4)}  # no cache has it yet
    with httpx.Client(timeout=TIMEOUT_SECONDS, headers=PAGE, params=fresh) as client:
        for one in asked:
            try:
                page = client.get(url, headers=one["headers"])
            except httpx.HTTPError as error:
                yield Finding("cache", f"{url}: {type(error).__name__}", "name a page of the running shop")
                return
            control = page.headers.get("cache-control", "")
            kept = next((name for said, name in KEPT.items() if said in control), "not marked")
            found = f"{kept}, {'with' if BANNER in page.text else 'without'} a banner"
            yield Finding(f"cache: {one['state']}", found, "" if found == one["expects"] else one["mend"])
