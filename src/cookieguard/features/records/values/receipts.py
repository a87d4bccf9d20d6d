"""Receipts: a record with the proof that it is in the log, which can be verified without the shop or a network."""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cookieguard.errors import CookieGuardError
from cookieguard.features.records.values.canonical import canonical
from cookieguard.features.records.values.merkle import HASH_BYTES, is_included, leaf_hash
from cookieguard.features.records.values.notes import NoteError, NoteKey, as_base64, open_signed
from cookieguard.features.records.values.records import read_document
from cookieguard.features.records.values.sealing import commitment

FORMAT = "cookieguard-receipt-v1"
PROOF = "c2sp.org/tlog-proof@v1"
MOST_BYTES = 1_000_000


class ReceiptBroken(CookieGuardError):
    """A receipt is not valid; the text says why."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Hold the record of a verified receipt, its place in the log, and the key that signed the log."""

    record: Mapping[str, Any]
    index: int
    size: int
    origin: str
    key: NoteKey


def write_receipt(
    record: bytes,
    *,
    salt: bytes,
    entry: bytes,
    index: int,
    proof: Sequence[bytes],
    checkpoint: str,
    keys: Sequence[NoteKey],
    shown: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the receipt of a record as JSON, with the proof in the format of c2sp.org/tlog-proof.

    `shown` is the document of what was shown, whose digest the record has; it is empty if the store has none.
    """
    lines = [PROOF, f"index {index}", *(as_base64(sibling) for sibling in proof)]
    document = {
        "format": FORMAT,
        "record": read_document(record),
        "salt": as_base64(salt),
        "stored": as_base64(entry[HASH_BYTES:]),
        "proof": "\n".join(lines) + "\n\n" + checkpoint,
        "keys": [str(key) for key in keys],
        **({"shown": shown} if shown else {}),
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def verify_receipt(text: bytes, *, keys: Sequence[NoteKey] = ()) -> Receipt:
    """Verify a receipt with the given keys, or with the keys it contains itself; raises ReceiptBroken.

    Its own keys prove only that their holder signed the record. That they are the shop's keys must be seen from the
    shop's published keys, an anchor, or an earlier receipt.
    """
    document = _read(text)
    record = _canonical(document["record"])
    salt, stored = (_from_text(document[name], name) for name in ("salt", "stored"))
    entry = commitment(salt, record) + stored
    _require_shown(document)
    head, _, checkpoint = str(document["proof"]).partition("\n\n")
    index, proof = _read_proof(head)
    trusted = keys or _keys(document["keys"])
    try:
        signed, key = open_signed(checkpoint, trusted)
    except NoteError as error:
        raise ReceiptBroken(f"the checkpoint is not valid: {error}") from error
    if not is_included(leaf_hash(entry), index, signed.size, proof, signed.root):
        raise ReceiptBroken("the record is not the one in the log: it, its salt or its proof was changed")
    return Receipt(document["record"], index, signed.size, signed.origin, key)


def _require_shown(document: Mapping[str, Any]) -> None:
    """Raise ReceiptBroken if the document of what was shown differs from its digest. Old receipts have no document."""
    if "shown" not in document:
        return
    notice = document["record"].get("dpv:hasNotice")
    digest = notice.get("cg:digest") if isinstance(notice, dict) else None
    if sha256(_canonical(document["shown"])).hexdigest() != digest:
        raise ReceiptBroken("what was shown is not what the record names: it was changed")


def _read(text: bytes) -> dict[str, Any]:
    if len(text) > MOST_BYTES:
        raise ReceiptBroken(f"the receipt has more than {MOST_BYTES} bytes")
    try:
        document = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except ReceiptBroken:
        raise
    except (ValueError, RecursionError) as error:
        raise ReceiptBroken("this is not JSON") from error
    members = {"record": dict, "salt": str, "stored": str, "proof": str, "keys": list}
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ReceiptBroken(f"this is not a receipt: its format is not {FORMAT}")
    for name, kind in members.items():
        if type(document.get(name)) is not kind:
            raise ReceiptBroken(f"{name} is missing, or is not a {kind.__name__}")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members. Refuse a name that occurs twice, since another parser may read the other value."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ReceiptBroken("a name occurs twice in one object")
    return members


def _no_number(name: str) -> None:
    raise ReceiptBroken(f"this is not JSON: it contains {name}")


def _canonical(record: Mapping[str, Any]) -> bytes:
    try:
        return canonical(record)
    except (ValueError, RecursionError) as error:
        raise ReceiptBroken(f"the record is not valid: {error}") from error


def _read_proof(head: str) -> tuple[int, list[bytes]]:
    lines = head.split("\n")
    if len(lines) < 2 or lines[0] != PROOF or not lines[1].startswith("index "):
        raise ReceiptBroken(f"the proof is not in the format {PROOF}")
    number = lines[1].removeprefix("index ")
    if not (number.isascii() and number.isdigit() and str(int(number[:20])) == number):
        raise ReceiptBroken("the proof has no valid index")
    return int(number), [_from_text(line, "the proof") for line in lines[2:]]


def _keys(texts: Sequence[Any]) -> list[NoteKey]:
    try:
        return [NoteKey.parse(str(text)) for text in texts]
    except NoteError as error:
        raise ReceiptBroken(f"a key is not valid: {error}") from error


def _from_text(text: str, what: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise ReceiptBroken(f"{what} is not valid base64") from error
