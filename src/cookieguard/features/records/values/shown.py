"""What a person was shown, as one document: its SHA-256 is the digest in their record.

The document names each text by its own SHA-256, and the log's store keeps document and texts under these names. So a
reader of the store can compute every digest again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from cookieguard.features.records.values.canonical import encoded
from cookieguard.features.records.values.log import Text
from cookieguard.features.records.values.records import read_document

WORDINGS, POLICY_TEXTS = "cg:wordings", "cg:policyTexts"


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


def read_shown(content: bytes, digest: str) -> dict[str, Any] | None:
    """Read a document of what was shown; None if it is not the one of this digest."""
    return read_document(content) if sha256(content).hexdigest() == digest else None


def parts_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the digests of the texts that a document of what was shown names."""
    yield from document[POLICY_TEXTS].values()
    yield from document[WORDINGS].values()


def digests_in(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the digests that a record names: of a wording, of what was shown, of texts of the policy."""
    notice = record.get("dpv:hasNotice", {})
    yield from filter(None, (notice.get("cg:sha256"), notice.get("cg:digest")))
    yield from record.get(POLICY_TEXTS, {}).values()
