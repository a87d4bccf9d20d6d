"""The files of ours that pages load or hold: style sheets and scripts, squeezed, named by their content."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

STATIC = files("cookieguard.static")
ASSETS = (
    "api.js",
    "banner.css",
    "banner.js",
    "control.css",
    "embed.css",
    "forget.js",
    "guard.js",
    "live.js",
    "once.js",
    "open.css",
    "page.css",
    "places.js",
    "saved.css",
    "signals.js",
)
# As a file the banner's sheet counts in its shadow and for the page around it: one file, asked for once.
SOURCES = {"banner.css": ("room.css", "banner.css")}
ENDLESS = re.compile(r"([;{,(:])\n")  # no statement of ours ends there without a semicolon
MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    """Hold one file of ours as it is served; its name carries its hash, so it may be cached for ever."""

    name: str
    content: bytes
    media_type: str

    @property
    def text(self) -> Markup:
        """Return the content for an inline element; it holds neither `<` nor `&` (a test sees to it)."""
        return Markup(self.content.decode("ascii"))  # noqa: S704


@cache
def load_asset(name: str) -> Asset:
    """Read a file of ours."""
    stem, _, kind = name.partition(".")
    sources = [STATIC.joinpath(one).read_text("utf-8") for one in SOURCES.get(name, (name,))]
    content = _squeeze("".join(sources), kind).encode("ascii")
    return Asset(f"{stem}.{digest(content)}.{kind}", content, MEDIA_TYPES[kind])


def _squeeze(source: str, kind: str) -> str:
    """Leave out comments and indentation: our sources keep `//` comments on lines of their own."""
    if kind == "css":
        return re.sub(r"/\*.*?\*/|\n", "", source, flags=re.DOTALL)
    lines = (line.strip() for line in source.splitlines())
    text = "\n".join(line for line in lines if line and not line.startswith("//"))
    return ENDLESS.sub(r"\1", text)


def digest(content: bytes) -> str:
    """Name content by what is in it."""
    return hashlib.sha256(content).hexdigest()[:16]
