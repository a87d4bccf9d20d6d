"""Our style sheets and packed scripts, which pages load or contain; a file's name includes a hash of its content."""

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
# Reloading a page that answered a POST would post again, in Chromium without a warning. posted.js therefore adds `&` to
# the address, so that the browser loads the page by a GET.
VARIANTS = {
    # With the notice of a coming policy, the links need a second row on a phone; no link is broken in two.
    "news.css": (
        "control.css",
        "44px system-ui}\na,button{all:unset",
        "2 system-ui}\na,button{all:unset;display:inline-flex",
    ),
    "posted.js": ("stale.js", "location.reload()", r'location.search+="\x26"'),
}
# The selectors that set the variables of the shop's settings. Other sheets inherit the variables from the page.
VARIABLES_ON = {"banner.css": ":host,#cg-p", "embed.css": ":root", "page.css": ":root"}
# Comments and line ends, which style sheets are served without; no string in a sheet contains one.
LEFT_OUT = re.compile(r"/\*.*?\*/|\n", re.DOTALL)
MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    """Hold one of our files as it is served; its name contains its hash, so caches may keep it for ever."""

    name: str
    content: bytes
    media_type: str

    @property
    def text(self) -> Markup:
        """Return the content for an inline element; a test checks that it contains neither `<` nor `&`."""
        return Markup(self.content.decode("ascii"))  # noqa: S704


@cache
def load_asset(name: str, look: LookSettings | None = None, more: str = "") -> Asset:
    """Return one of our files with the shop's layout and style variables, and the shop's own text `more` at its end."""
    look = look or LookSettings()
    stem, _, kind = name.partition(".")
    file, old, new = VARIANTS.get(name, (name, "", ""))
    texts = (STATIC.joinpath(source).read_text("utf-8") for source in _sources(file, look.layout))
    sources = [text.replace(old, new) if old else text for text in texts]
    if name in VARIABLES_ON and look.declarations:
        sources.append(f"{VARIABLES_ON[name]}{{{look.declarations}}}")
    sources.append(more)
    text = "".join(sources)
    content = (LEFT_OUT.sub("", text) if kind == "css" else text).encode("ascii")
    return Asset(f"{stem}.{digest(content)[:8]}.{kind}", content, MEDIA_TYPES[kind])


def _sources(name: str, layout: str) -> tuple[str, ...]:
    """Return the source files of an asset; the banner's sheet also has rules for the page around its shadow root."""
    room = ("room.css", *(["room-bar.css"] if layout == "bar" else []), "held.css")
    joined = {
        "banner.css": (*room, "banner.css", f"{layout}.css"),
        "room.css": room,
        "stale.js": ("live.js", "stale.js"),
    }
    return joined.get(name, (name,))


def digest(content: bytes) -> str:
    """Return the first 16 hex digits of the content's SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


@cache
def template_sources() -> DictLoader:
    """Return a loader that holds the text of all templates, so that no request reads the disk."""
    found = STATIC.joinpath("templates").iterdir()
    return DictLoader({file.name: file.read_text("utf-8") for file in found})
