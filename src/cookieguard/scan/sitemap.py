"""Read a shop's sitemap: the addresses in it, and those of the sitemaps it names."""

from __future__ import annotations

import html
import re

LOC = re.compile(r"<(?:\w+:)?loc>\s*(?:<!\[CDATA\[)?\s*([^<\]]+?)\s*(?:\]\]>)?\s*</", re.IGNORECASE)
IN_ROBOTS = re.compile(r"^\s*sitemap\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
MOST_ADDRESSES = 5000
MOST_SITEMAPS = 3  # of an index: pages of each kind stand in the first ones


def named_in_robots(text: str) -> list[str]:
    """Return the sitemaps that a robots.txt names."""
    return IN_ROBOTS.findall(text)[:MOST_SITEMAPS]


def read_sitemap(text: str) -> tuple[list[str], list[str]]:
    """Return the pages and the further sitemaps that a sitemap names.

    It is read as text: entities of an XML document are nothing a scan would expand.

    >>> read_sitemap("<urlset><url><loc>https://shop.example/a&amp;b</loc></url></urlset>")
    (['https://shop.example/a&b'], [])
    """
    found = [html.unescape(one) for one in LOC.findall(text)[:MOST_ADDRESSES]]
    if re.search(r"<(?:\w+:)?sitemapindex\b", text, re.IGNORECASE):
        return [], found[:MOST_SITEMAPS]
    return found, []
