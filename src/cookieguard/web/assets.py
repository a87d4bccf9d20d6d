"""The files of ours that pages load or hold: style sheets and packed scripts, named by their content."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import DictLoader
from markupsafe import Markup

from cookieguard.config import LookSettings

STATIC = files("cookieguard.static")
ASSETS = (
    "api.js",
    "banner.css",
    "banner.js",
    "callbacks.js",
    "control.css",
    "embed.css",
    "forget.js",
    "guard.js",
    "held.css",
    "live.js",
    "meta.js",
    "news.css",
    "once.js",
    "open.css",
    "page.css",
    "places.js",
    "posted.js",
    "saved.css",
    "seen.js",
    "signals.js",
    "stale.js",
)
# A reload of a page that answered a POST posts once more, in Chromium without a word: it is asked for anew by a GET, so
# under an address that differs.
VARIANTS = {
    # With the line about a coming policy the links need a second row on a phone; each keeps its words together.
    "news.css": (
        "control.css",
        "44px system-ui}\na,button{all:unset",
        "2 system-ui}\na,button{all:unset;display:inline-flex",
    ),
    "posted.js": ("stale.js", "location.reload()", r'location.search+="\x26"'),
}
# Where the variables of the shop's settings are set; elsewhere they are taken from the page.
VARIABLES_ON = {"banner.css": ":host,#cg-p", "embed.css": ":root", "page.css": ":root"}
# Comments and line ends of our sheets; no string in them has either. Scripts are packed by scripts/pack_scripts.py.
LEFT_OUT = re.compile(r"/\*.*?\*/|\n", re.DOTALL)
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
def load_asset(name: str, look: LookSettings | None = None, more: str = "") -> Asset:
    """Read a file of ours, in the layout and with the variables of the shop's settings, and `more` of the shop's."""
    look = look or LookSettings()
    stem, _, kind = name.partition(".")
    file, old, new = VARIANTS.get(name, (name, "", ""))
    texts = (STATIC.joinpath(one).read_text("utf-8") for one in _sources(file, look.layout))
    sources = [one.replace(old, new) if old else one for one in texts]
    if name in VARIABLES_ON and look.declarations:
        sources.append(f"{VARIABLES_ON[name]}{{{look.declarations}}}")
    sources.append(more)
    text = "".join(sources)
    content = (LEFT_OUT.sub("", text) if kind == "css" else text).encode("ascii")
    return Asset(f"{stem}.{digest(content)[:8]}.{kind}", content, MEDIA_TYPES[kind])


def _sources(name: str, layout: str) -> tuple[str, ...]:
    """Name the files of an asset: the banner's sheet counts in its shadow and for the page around it."""
    room = ("room.css", *(["room-bar.css"] if layout == "bar" else []), "held.css")
    joined = {
        "banner.css": (*room, "banner.css", f"{layout}.css"),
        "room.css": room,
        "stale.js": ("live.js", "stale.js"),
    }
    return joined.get(name, (name,))


def digest(content: bytes) -> str:
    """Name content by what is in it."""
    return hashlib.sha256(content).hexdigest()[:16]


@cache
def template_sources() -> DictLoader:
    """Read all templates, which are compiled when they are asked for: no request waits for the disk."""
    found = STATIC.joinpath("templates").iterdir()
    return DictLoader({file.name: file.read_text("utf-8") for file in found})
