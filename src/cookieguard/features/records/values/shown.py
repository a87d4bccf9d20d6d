"""The document of what a person was shown, such as banner and policy. Their record has its SHA-256 as digest.

The document names each text by the text's SHA-256. The log's store keeps document and texts under these digests, so a
reader of the store can recompute each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from cookieguard.features.records.values.canonical import encoded
from cookieguard.features.records.values.log import Text
from cookieguard.features.records.values.records import read_document

WORDINGS, STYLES, POLICY_TEXTS = "cg:wordings", "cg:styles", "cg:policyTexts"
BANNER, FORM, PLACEHOLDER = "banner", "form", "placeholder"  # the places where a wording is shown
ON_CHOICES = "privacy choices page"  # the method that a record names for choices made on that page
FindText = Callable[[str], bytes | None]
"""Return the text with a digest from the log's store, None if it has none."""


class Shown(NamedTuple):
    """Hold the digest of what was shown, and what the store keeps for it: the document and each text it names."""

    digest: str
    texts: tuple[Text, ...]


class ShownText(NamedTuple):
    """Hold the text that a person saw, and its style sheet."""

    place: str = ""
    """Where the text was shown; empty for a text of the shop's own form."""
    text: str = ""
    is_same: bool = False
    """True if the text still has the digest that the record names."""
    style: str = ""
    has_style: bool = False
    """Whether the record names a style sheet; `style` is empty if that sheet is missing or was changed."""


def text_of(content: bytes) -> Text:
    """Return a text with its SHA-256."""
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
    """Return the document of what was shown, with its digest and its texts.

    The digest covers the policy's version with its text in each language, the language that was shown, the wording of
    each place (such as `banner` and `form`) with its style sheet, and the vendors of each purpose asked for.
    """
    styles = styles or {}
    document = {
        "cg:asked": {purpose: list(vendors) for purpose, vendors in asked.items()},
        "cg:policy": policy,
        POLICY_TEXTS: {lang: digest for lang, (digest, _) in policy_texts.items()},
        WORDINGS: {place: digest for place, (digest, _) in wordings.items()},
        "dct:language": language,
    }
    if styles:  # the shop's own form has none that cookieguard knows
        document[STYLES] = {place: digest for place, (digest, _) in styles.items()}
    whole = text_of(encoded(document))
    return Shown(whole[0], (whole, *policy_texts.values(), *wordings.values(), *styles.values()))


def read_shown(notice: Mapping[str, str], text: FindText) -> dict[str, Any]:
    """Return the document that a notice names by its digest; empty if the store lacks it, or if it was changed."""
    content = text(notice.get("cg:digest", "")) or b""
    return read_document(content) if sha256(content).hexdigest() == notice.get("cg:digest") else {}


def shown_in(record: Mapping[str, Any], find: FindText) -> ShownText:
    """Return the text that a person saw: the form of the page of privacy choices if they used it, else the notice's."""
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
        place=place if "dpv:hasProcess" in record else "",  # agreements name a text of the shop's own
        text=text.decode("utf-8", "replace"),
        is_same=sha256(text).hexdigest() == digest,
        style=style.decode("ascii", "replace") if sha256(style).hexdigest() == named else "",
        has_style=bool(named),
    )


def digests_in(record: Mapping[str, Any], text: FindText) -> Iterator[str]:
    """Yield the digests of all texts that a record names, directly or in the document of what was shown."""
    notice = record.get("dpv:hasNotice", {})
    yield from filter(None, (notice.get("cg:sha256"), notice.get("cg:digest")))
    for document in (record, read_shown(notice, text)):
        for member in (POLICY_TEXTS, WORDINGS, STYLES):
            yield from document.get(member, {}).values()
