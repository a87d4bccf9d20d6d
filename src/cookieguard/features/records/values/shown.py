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

WORDINGS, POLICY_TEXTS = "cg:wordings", "cg:policyTexts"
Find = Callable[[str], bytes | None]
"""Return a text by its digest, as the log's store does."""


class Shown(NamedTuple):
    """Hold the digest of what was shown, and what the store keeps of it: the document, and each text in it."""

    digest: str
    texts: tuple[Text, ...]


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
) -> Shown:
    """Return the digest of what was shown.

    It covers the policy's version with its text in each language, the language that was shown, the wording of each
    place (such as `banner` and `form`), and the vendors of each purpose that was asked for.
    """
    document = {
        "cg:asked": {purpose: list(vendors) for purpose, vendors in asked.items()},
        "cg:policy": policy,
        POLICY_TEXTS: {one: digest for one, (digest, _) in policy_texts.items()},
        WORDINGS: {place: digest for place, (digest, _) in wordings.items()},
        "dct:language": language,
    }
    whole = text_of(encoded(document))
    return Shown(whole[0], (whole, *policy_texts.values(), *wordings.values()))


def read_shown(notice: Mapping[str, str], text: Find) -> dict[str, Any]:
    """Return the document of what was shown by its digest in a notice; empty where the store has no such one."""
    content = text(notice.get("cg:digest", "")) or b""
    return read_document(content) if sha256(content).hexdigest() == notice.get("cg:digest") else {}


def digests_in(record: Mapping[str, Any], text: Find) -> Iterator[str]:
    """Yield the digests of all texts that a record names, itself or in the document of what was shown."""
    notice = record.get("dpv:hasNotice", {})
    yield from filter(None, (notice.get("cg:sha256"), notice.get("cg:digest")))
    for one in (record, read_shown(notice, text)):
        yield from (*one.get(POLICY_TEXTS, {}).values(), *one.get(WORDINGS, {}).values())
