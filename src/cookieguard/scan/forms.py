"""Which personal fields a page asks for and where its forms lead, as the source says it; never what somebody typed.

Rule: what HTML itself says comes first (`autocomplete`, `type`); a field's name is a guess of last resort.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from urllib.parse import urljoin

from cookieguard.config import ShopForm
from cookieguard.html import parse_url
from cookieguard.scan.observations import Form
from cookieguard.scan.page_source import MOST_SOURCE, IsForeign, Source

CARD = "card number"
TYPES = {"email": "email", "tel": "phone", "password": "password", "file": "file"}
UNASKED = frozenset({"hidden", "submit", "button", "image", "reset", "checkbox", "radio", "search"})
# The tokens of the HTML standard (4.10.18.7) by how they begin.
TOKENS = {
    "cc-number": CARD,
    "cc-csc": "card code",
    "cc-exp": "card expiry",
    "cc-name": "name",
    "email": "email",
    "tel": "phone",
    "name": "name",
    "given-name": "name",
    "family-name": "name",
    "street-address": "address",
    "address-line": "address",
    "postal-code": "address",
    "bday": "birthday",
    "sex": "sex",
    "new-password": "password",
    "current-password": "password",
}
NAMES = (
    (re.compile(r"card.?(num|no\b)|cc.?num|^pan$", re.IGNORECASE), CARD),
    (re.compile(r"\bcvv|\bcvc|card.?code|security.?code", re.IGNORECASE), "card code"),
    (re.compile(r"e-?mail", re.IGNORECASE), "email"),
    (re.compile(r"phone|mobile|\btel\b", re.IGNORECASE), "phone"),
    (re.compile(r"street|address|post.?code|\bzip", re.IGNORECASE), "address"),
    (re.compile(r"birth|\bdob\b", re.IGNORECASE), "birthday"),
    (re.compile(r"\biban\b|account.?n", re.IGNORECASE), "bank account"),
    (re.compile(r"(first|last|full|sur|family|given).?name|^name$", re.IGNORECASE), "name"),
)


def forms_in(source: Source, is_foreign: IsForeign) -> list[Form]:
    """Return the forms of a page that ask for something personal; fields in none count as one that scripts send."""
    reader = _Reader(source.url)
    reader.feed(source.text[:MOST_SOURCE].decode("utf-8", "replace"))
    found = []
    for address, asks in reader.forms:
        url = parse_url(address) if asks and address else None
        host = url.host if url is not None and is_foreign(url) else ""
        if asks:
            found.append(Form(page=source.page, leads_to=host, asks=tuple(asks)))
    return found


def merged(forms: Iterable[Form]) -> list[tuple[Form, tuple[str, ...]]]:
    """Return each form once, with the pages it is on."""
    pages: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    first: dict[tuple[str, tuple[str, ...]], Form] = {}
    for one in forms:
        key = (one.leads_to, one.asks)
        first.setdefault(key, one)
        if one.page not in pages.setdefault(key, []):
            pages[key].append(one.page)
    return [(first[key], tuple(found)) for key, found in pages.items()]


def takes_cards(form: Form) -> bool:
    """Return whether a card's number is typed into the shop's own page."""
    return CARD in form.asks


def is_declared(form: Form, pages: Sequence[str], declared: Iterable[ShopForm]) -> bool:
    """Return whether the configuration names a form with all that it asks for, wherever it stands."""
    fits = [one for one in declared if set(form.asks) <= set(one.asks) and one.leads_to == form.leads_to]
    return all(any(one.is_on(page) for one in fits) for page in pages)


def form_table(form: Form, pages: Sequence[str]) -> str:
    """Write the lines that declare a form; on several pages it counts as one of every page."""
    lines = ["[[forms]]"]
    lines.append(f"page = {json.dumps(pages[0] if len(pages) == 1 else '/')}")
    lines.append(f"asks = {json.dumps(list(form.asks))}")
    lines += [f"leads_to = {json.dumps(form.leads_to)}"] * bool(form.leads_to)
    return "\n".join(lines)


class _Reader(HTMLParser):
    """Gather fields by form, in their order. `forms` begins with what is in none."""

    def __init__(self, address: str) -> None:
        super().__init__(convert_charrefs=True)
        self._address = address
        self.forms: list[tuple[str, dict[str, None]]] = [("", {})]
        self._at = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((self._resolved(found.get("action", "")), {}))
            self._at = len(self.forms) - 1
        elif tag in ("input", "textarea", "select") and (kind := _kind(tag, found)):
            self.forms[self._at][1].setdefault(kind)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._at = 0

    def _resolved(self, action: str) -> str:
        try:
            return urljoin(self._address, action.strip())
        except ValueError:  # no address
            return self._address


def _kind(tag: str, field: Mapping[str, str]) -> str:
    """Return what a field asks for; empty for what names nobody."""
    type_ = field.get("type", "text").lower() if tag == "input" else tag
    if type_ in UNASKED:
        return ""
    for token in reversed(field.get("autocomplete", "").lower().split()):
        known = next((kind for name, kind in TOKENS.items() if token.startswith(name)), "")
        if known:
            return known
    if type_ in TYPES:
        return TYPES[type_]
    told = (field.get("name", ""), field.get("id", ""), field.get("placeholder", ""))
    return next((kind for pattern, kind in NAMES for text in told if text and pattern.search(text)), "")
