"""What a person was shown, as one document: its SHA-256 is the digest in their record.

The document names each text by its own SHA-256, and the log's store keeps document and texts under these names. So a
reader of the store can compute every digest again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from cookieguard.features.records.values.canonical import encoded
from cookieguard.features.records.values.log import Text
from cookieguard.features.records.values.records import read_document

WORDINGS, STYLES, POLICY_TEXTS = "cg:wordings", "cg:styles", "cg:policyTexts"
BANNER, FORM, PLACEHOLDER = "banner", "form", "placeholder"  # the places of a wording
ON_CHOICES = "privacy choices page"  # how a record names a choice made there
Find = Callable[[str], bytes | None]
"""Return a text by its digest, as the log's store does."""


class Shown(NamedTuple):
    """Hold the digest of what was shown, and what the store keeps of it: the document, and each text in it."""

    digest: str
    texts: tuple[Text, ...]


class ShownText(NamedTuple):
    """Hold the text that a person saw, and the style sheet that it had."""

    place: str = ""
    """Where it was; empty for a text of the shop's own."""
    text: str = ""
    is_same: bool = False
    """Whether the text is the one that the record names."""
    style: str = ""
    has_style: bool = False
    """Whether the record names a style sheet; `style` is empty if that one is missing or was changed."""


def text_of(content: bytes) -> Text:
    """Return a text under its SHA-256."""
    return sha256(content).hexdigest(), content


def shown_as(
    *,
    policy: str,
    policy_texts: Mapping[str, Text],
    language: str,
    wordings: Mapping[str, Text],
    asked: Mapping[str, Sequence[str]],
    styles: Mapping[str, Text] | None = None,
) -> Shown:
    """Return the digest of what was shown.

    It covers the policy's version with its text in each language, the language that was shown, the wording of each
    place (such as `banner` and `form`) with its style sheet, and the vendors of each purpose that was asked for.
    """
    styles = styles or {}
    document = {
        "cg:asked": {purpose: list(vendors) for purpose, vendors in asked.items()},
        "cg:policy": policy,
        POLICY_TEXTS: {one: digest for one, (digest, _) in policy_texts.items()},
        WORDINGS: {place: digest for place, (digest, _) in wordings.items()},
        "dct:language": language,
    }
    if styles:  # a box of the shop's own form has none
        document[STYLES] = {place: digest for place, (digest, _) in styles.items()}
    whole = text_of(encoded(document))
    return Shown(whole[0], (whole, *policy_texts.values(), *wordings.values(), *styles.values()))


def read_shown(notice: Mapping[str, str], text: Find) -> dict[str, Any]:
    """Return the document of what was shown by its digest in a notice; empty where the store has no such one."""
    content = text(notice.get("cg:digest", "")) or b""
    return read_document(content) if sha256(content).hexdigest() == notice.get("cg:digest") else {}


def shown_in(record: Mapping[str, Any], find: Find) -> ShownText:
    """Return what a person saw: the form if they chose on the page of privacy choices, else the text of the notice."""
    notice = record.get("dpv:hasNotice", {})
    shown, digest = read_shown(notice, find), notice.get("cg:sha256", "")
    wordings = shown.get(WORDINGS, {})
    place = PLACEHOLDER if digest and digest == wordings.get(PLACEHOLDER) else BANNER
    method = record.get("dpv:hasConsentStatus", {}).get("dpv:hasIndicationMethod")
    if place == BANNER and FORM in wordings and method == ON_CHOICES:
        place, digest = FORM, wordings[FORM]
    text = find(digest)
    if text is None:
        return ShownText()
    named = shown.get(STYLES, {}).get(place, "")
    style = find(named) or b""
    return ShownText(
        place=place if "dpv:hasProcess" in record else "",  # others name a text of the shop's own
        text=text.decode("utf-8", "replace"),
        is_same=sha256(text).hexdigest() == digest,
        style=style.decode("ascii", "replace") if sha256(style).hexdigest() == named else "",
        has_style=bool(named),
    )


def digests_in(record: Mapping[str, Any], text: Find) -> Iterator[str]:
    """Yield the digests of all texts that a record names, itself or in the document of what was shown."""
    notice = record.get("dpv:hasNotice", {})
    yield from filter(None, (notice.get("cg:sha256"), notice.get("cg:digest")))
    for one in (record, read_shown(notice, text)):
        for member in (POLICY_TEXTS, WORDINGS, STYLES):
            yield from one.get(member, {}).values()
