"""The pages that are measured and the policy they are measured under, the same for every contestant."""

from __future__ import annotations

import asyncio
import gzip
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHUNK = 16 * 1024
SHOP = "https://shop.example/"
SHOP_HOST = "shop.example"
BANNER = '<div id="banner"></div>'
PATHS = ("/", "/catalogue", "/journal", "/privacy", "/cart", "/login", "/product/")
ADS = "https://ads.vendor.example"
SLUGS = 'href="/product/'


def pages(directory: Path | None) -> list[bytes]:
    """Read the pages of a directory (*.html, *.html.gz); without one, those of the demo's shop."""
    if directory is None:
        return _demo_pages()
    plain = [path.read_bytes() for path in sorted(directory.glob("*.html"))]
    found = plain + [gzip.decompress(path.read_bytes()) for path in sorted(directory.glob("*.html.gz"))]
    if not found:
        sys.exit(f"no *.html or *.html.gz in {directory}")
    return found


def chunked(page: bytes, size: int = CHUNK) -> list[bytes]:
    """Cut a page as a server would."""
    return [page[at : at + size] for at in range(0, len(page), size)]


def _demo_pages() -> list[bytes]:
    """Ask the unguarded demo shop, in process, for the pages a visitor sees."""
    sys.path.insert(0, str(ROOT))
    import httpx

    from demo_site import shop

    async def collect() -> list[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            app: Any = shop.create_app(ads_origin=ADS, database=Path(folder) / "shop.sqlite3", guard=None)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=SHOP) as client:
                catalogue = (await client.get("/catalogue")).text
                slugs = {part.partition('"')[0] for part in catalogue.split(SLUGS)[1:]}
                paths = [*PATHS[:-1], *(PATHS[-1] + slug for slug in sorted(slugs))]
                return [(await client.get(path)).content for path in paths]

    return asyncio.run(collect())
