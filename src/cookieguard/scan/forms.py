"""The forms of a page: which personal data they ask for, and where they send it. Never what a visitor typed.

Rule: `autocomplete` and `type` decide first, because HTML defines them; a field's name is only a guess.
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
from cookieguard.scan.page_source import MOST_SOURCE, IsForeign, PageSource

CARD = "card number"
TYPES = {"email": "email", "tel": "phone", "password": "password", "file": "file"}
IMPERSONAL = frozenset({"hidden", "submit", "button", "image", "reset", "checkbox", "radio", "search"})
# The beginnings of `autocomplete` tokens (HTML standard, 4.10.18.7).
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


def forms_in(source: PageSource, is_foreign: IsForeign) -> list[Form]:
    """Return a page's forms that ask for personal data; fields outside of forms count as one form, sent by scripts."""
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
    for form in forms:
        key = (form.leads_to, form.asks)
        first.setdefault(key, form)
        if form.page not in pages.setdefault(key, []):
            pages[key].append(form.page)
    return [(first[key], tuple(found)) for key, found in pages.items()]


def is_declared(form: Form, pages: Sequence[str], declared: Iterable[ShopForm]) -> bool:
    """Return whether the configuration declares a form, with all that it asks for, on each of these pages."""
    fits = [own for own in declared if set(form.asks) <= set(own.asks) and own.leads_to == form.leads_to]
    return all(any(own.is_on(page) for own in fits) for page in pages)


def form_table(form: Form, pages: Sequence[str]) -> str:
    """Return the lines that declare a form; one that was seen on several pages is declared for every page."""
    lines = ["[[forms]]"]
    lines.append(f"page = {json.dumps(pages[0] if len(pages) == 1 else '/')}")
    lines.append(f"asks = {json.dumps(list(form.asks))}")
    lines += [f"leads_to = {json.dumps(form.leads_to)}"] * bool(form.leads_to)
    return "\n".join(lines)


class _Reader(HTMLParser):
    """Collect the fields of each form, in order. The first entry of `forms` has the fields outside of any form."""

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
        except ValueError:  # the action is not a valid URL
            return self._address


def _kind(tag: str, field: Mapping[str, str]) -> str:
    """Return the personal data that a field asks for; empty if it asks for none."""
    type_ = field.get("type", "text").lower() if tag == "input" else tag
    if type_ in IMPERSONAL:
        return ""
    for token in reversed(field.get("autocomplete", "").lower().split()):
        known = next((kind for name, kind in TOKENS.items() if token.startswith(name)), "")
        if known:
            return known
    if type_ in TYPES:
        return TYPES[type_]
    names = (field.get("name", ""), field.get("id", ""), field.get("placeholder", ""))
    return next((kind for pattern, kind in NAMES for name in names if name and pattern.search(name)), "")
