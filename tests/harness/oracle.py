"""A list of what a page contacts, made by parsers that are not ours from the standards' lists, not from our tables.

Rule: nothing of cookieguard is imported here, or the rewriter would be judge in its own case.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import html5lib
import turbohtml

from harness.node import Parse5

SHOP = "shop.example"
PAGE = f"https://{SHOP}/"
XLINK = "{http://www.w3.org/1999/xlink}"
# (name, attributes, text of script and style, is in a template), in the order of the tree
Element = tuple[str, Sequence[tuple[str, str]], str, bool]
Elements = Sequence[Element]
Found = list[Element]
# A page and whether scripts run -> its elements, in the order of the tree
Read = Callable[[str, bool], Elements]

# HTML 4.6.7, 4.8, 15; SVG 2 chapter 16; element -> attributes with one URL in them.
ADDRESSES = {
    "audio": "src",
    "embed": "src",
    "feimage": "href xlink:href",
    "frame": "src",
    "iframe": "src",
    "image": "href xlink:href",
    "img": "src",
    "input": "src",
    "object": "data",
    "script": "src href xlink:href",
    "source": "src",
    "track": "src",
    "use": "href xlink:href",
    "video": "src poster",
    "body": "background",
    "table": "background",
    "td": "background",
    "th": "background",
}
SETS = {"img": "srcset", "source": "srcset", "link": "imagesrcset"}
LISTS = ("ping", "attributionsrc")
DOCUMENTS = {"iframe": "src", "frame": "src", "embed": "src", "object": "data"}
FETCHING_RELATIONS = frozenset(
    "stylesheet preload modulepreload prefetch preconnect dns-prefetch icon manifest apple-touch-icon".split()
)
SHEET = re.compile(
    r"url\(\s*(?:\"([^\"\n]*)\"|'([^'\n]*)'|((?:[^\"'()\s\\]|\\.)+))\s*(?:\)|\Z)"
    r"|(?:@import|image-set\()\s*(?:\"([^\"\n]*)\"|'([^'\n]*)')",
    re.I,
)
CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
CSS_ESCAPE = re.compile(r"\\(?:([0-9a-f]{1,6})\s?|(.))", re.I)
REFRESH = re.compile(r"\s*[\d.]+\s*[;,\s]\s*(?:url\s*=\s*)?[\"']?([^\"']*)", re.I)
CANDIDATE = re.compile(r"[\s,]*(\S+)")
# The inline scripts of grammar.py run, and the policy stops the requests that they make. So none
# of this is held, but no text may become a script.
CALLS = re.compile(r"(?:\.src=|(?<!\w)(?:fetch|import)\()'(//ads\.example[^']*)'")
RUNNING_TYPES = frozenset({"", "module", "text/javascript", "application/javascript"})
DEEPEST = 4  # documents in documents that are looked into
NETWORK = ("http:", "https:", "ws:", "wss:", "ftp:")


@dataclass
class Contacts:
    """The contacts in one reading of a page, outside of templates: `held` of other hosts, `alive` of any host."""

    held: list[tuple[str, str, str]] = field(default_factory=list)
    alive: set[tuple[str, str, str]] = field(default_factory=set)
    marks: int = 0
    """Elements with the id that the tests insert."""
    hides_marks: bool = False
    """A frameset takes the place of a body that holds nothing yet; behind `plaintext` all is text."""


def turbo_elements(page: str, scripting: bool) -> Elements:
    """Read a page with turbohtml: today's standard, without the "in select" mode."""
    found: Found = []
    _collect(turbohtml.parse(page, scripting=scripting, positions=False), False, found)
    return found


def _collect(node: turbohtml.Node, inside: bool, found: Found) -> None:
    if isinstance(node, turbohtml.Element):
        is_text = node.tag in ("script", "style")
        text = (
            "".join(child.data for child in node.children if isinstance(child, turbohtml.Text))
            if is_text
            else ""
        )
        found.append(
            (
                node.tag,
                [(k, v if isinstance(v, str) else " ".join(v or [])) for k, v in node.attrs.items()],
                text,
                inside,
            )
        )
        if node.shadow_root is not None:
            _collect(node.shadow_root, inside, found)
        inside = inside or node.tag == "template"
    for child in node.children:
        _collect(child, inside, found)


def html5lib_elements(page: str, scripting: bool) -> Elements:
    """Read a page with html5lib, the oldest reading of the three: it does not know `template`."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"))
    # html5lib's own mistake: after a NUL at its start, a comment ends at `->` (HTML 13.2.5.43).
    page = page.replace("<!--\0", "<!--\ufffd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = parser.parse(page, scripting=scripting)
    found: Found = []
    pending = [(root, False)]
    while pending:
        node, inside = pending.pop()
        if isinstance(node.tag, str):
            name = _local(node.tag)
            is_text = name in ("script", "style")  # its own text, without that of comments and elements in it
            text = "".join([node.text or "", *(child.tail or "" for child in node)]) if is_text else ""
            found.append((name, [(_local(key), value) for key, value in node.attrib.items()], text, inside))
            inside = inside or name == "template"
        pending += [(child, inside) for child in reversed(node)]
    return found


def _local(name: str) -> str:
    return name.replace(XLINK, "xlink:").rpartition("}")[2]


class Oracle:
    """Find what a page contacts, by one parser; `urls` resolves references as browsers do."""

    def __init__(self, read: Read, urls: Parse5) -> None:
        self._read, self._urls = read, urls

    def contacts(self, page: str, *, scripting: bool) -> Contacts:
        """Return what the page contacts."""
        found = Contacts()
        self._walk(page, PAGE, scripting, found, depth=0)
        return found

    def _walk(self, page: str, base: str, scripting: bool, found: Contacts, *, depth: int) -> None:
        has_base = False
        for tag, pairs, written, inside in self._read(page, scripting):
            name, attributes = tag.lower(), {key.lower(): value for key, value in pairs}
            # A script that is never closed does not run (HTML 13.2.6.4.8).
            text = "" if name == "script" and page.endswith(written) else written
            found.marks += attributes.get("id") == "cg-mark"
            found.hides_marks = found.hides_marks or name in ("frameset", "plaintext")
            if name == "base" and "href" in attributes and not (has_base or inside):
                has_base = True
                resolved = self._urls.resolve(attributes["href"], base)
                base = resolved[2] if resolved and resolved[0] in NETWORK else base
            for attribute, reference in references(name, attributes, text):
                self._note((name, attribute, reference), base, found, inside=inside)
            for document, its_base in self._documents(name, attributes, base) if depth < DEEPEST else ():
                self._walk(document, its_base, scripting, found, depth=depth + 1)

    def _documents(self, name: str, attributes: dict[str, str], base: str) -> Iterator[tuple[str, str]]:
        """Yield the documents an element carries in itself, each with its base URL."""
        if name == "iframe" and "srcdoc" in attributes:
            yield attributes["srcdoc"], base
        url = self._urls.resolve(attributes.get(DOCUMENTS.get(name, ""), ""), base)
        if url and url[2].startswith("data:text/html,"):
            yield unquote(url[2].partition(",")[2]), "data:,"

    def _note(self, contact: tuple[str, str, str], base: str, found: Contacts, *, inside: bool) -> None:
        url = self._urls.resolve(contact[2], base) if contact[2] else None
        host = url[1].rstrip(".") if url and url[0] in NETWORK else ""
        if not host:
            return
        if host != SHOP and contact[:2] != ("script", ""):
            found.held.append(contact)
        # Sheets are edited, and a second body tag brings what the first has lost: neither is text come alive.
        if not inside and contact[0] not in ("body", "style") and contact[1] != "style":
            found.alive.add(contact)


def references(name: str, attributes: dict[str, str], text: str) -> Iterator[tuple[str, str]]:
    """Yield (attribute, reference) of everything an element would fetch or connect to."""
    for attribute in ADDRESSES.get(name, "").split():
        yield attribute, attributes.get(attribute, "")
    for attribute in LISTS:
        yield from ((attribute, one) for one in attributes.get(attribute, "").split())
    yield from ((SETS.get(name, ""), one) for one in candidates(attributes.get(SETS.get(name, ""), "")))
    yield from (("style", one) for one in sheet(attributes.get("style", "")))
    if name in SPECIAL:
        yield from (("", one) for one in SPECIAL[name](attributes, text))


def _link(attributes: dict[str, str], _: str) -> list[str]:
    relations = attributes.get("rel", "").lower().split()
    return [] if FETCHING_RELATIONS.isdisjoint(relations) else [attributes.get("href", "")]


def _refresh(attributes: dict[str, str], _: str) -> list[str]:
    match = REFRESH.match(attributes.get("content", ""))
    return [match[1]] if match and attributes.get("http-equiv", "").lower() == "refresh" else []


def _style(attributes: dict[str, str], text: str) -> list[str]:
    return list(sheet(text)) if attributes.get("type", "").lower() in ("", "text/css") else []


def _script(attributes: dict[str, str], text: str) -> list[str]:
    runs = "src" not in attributes and attributes.get("type", "").strip().lower() in RUNNING_TYPES
    return CALLS.findall(text) if runs else []


SPECIAL = {"link": _link, "meta": _refresh, "style": _style, "script": _script}


def candidates(value: str) -> Iterator[str]:
    """Yield the URLs of a srcset (HTML 4.8.4.2.2)."""
    position = 0
    while (match := CANDIDATE.match(value, position)) is not None:
        url, position = match[1], match.end()
        if url.endswith(","):
            url = url.rstrip(",")
        else:
            comma = value.find(",", position)
            position = comma if comma >= 0 else len(value)
        if url:
            yield url


def sheet(text: str) -> Iterator[str]:
    """Yield the references of a style sheet."""
    for match in SHEET.finditer(CSS_COMMENT.sub(" ", text)):
        yield CSS_ESCAPE.sub(_unescaped, next(group for group in (*match.groups(), "") if group is not None))


def _unescaped(match: re.Match[str]) -> str:
    if match[2] is not None:
        return "" if match[2] == "\n" else match[2]
    code = int(match[1], 16)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
