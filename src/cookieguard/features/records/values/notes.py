"""Signed notes with Ed25519 (c2sp.org/signed-note), and the log's checkpoints as notes (c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cookieguard.errors import CookieGuardError
from cookieguard.features.records.values.merkle import HASH_BYTES

ED25519 = b"\x01"  # the signature type of the specification
ID_BYTES = 4
SIGNATURE = re.compile("\u2014 ([^ \u2028\u2029\x00-\x20+]+) ([A-Za-z0-9+/]+={0,2})")
SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
NAME = re.compile(r"[!-*,-~]{1,200}")  # no blank, no plus
NO_KEY_SIGNED = "none of the keys signed this note"
LONGEST_NOTE = 64 * 1024  # bytes; each witness adds one line


class NoteError(CookieGuardError):
    """A note or checkpoint does not count; the text says why."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """Hold a public key with the name under which it signs."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or len(self.public) != 32:
            raise NoteError("a key's name cannot contain spaces or +, and its public part must have 32 bytes")

    @property
    def id(self) -> bytes:
        """Return the four bytes that identify the key in a signature line."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:ID_BYTES]

    def __str__(self) -> str:
        """Return the key in the form of c2sp.org/signed-note: name, id, type and public part."""
        return f"{self.name}+{self.id.hex()}+{as_base64(ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> NoteKey:
        """Return the key that a text in that form names; raises NoteError."""
        name, _, rest = text.strip().partition("+")
        id_, _, encoded = rest.partition("+")
        kind_and_public = _bytes(encoded)
        key = cls(name, kind_and_public[1:])
        if kind_and_public[:1] != ED25519 or key.id.hex() != id_:
            raise NoteError(f"the key of {name!r} is not an Ed25519 key, or its id belongs to another key")
        return key


@dataclass(frozen=True, slots=True)
class Signer:
    """Sign notes with a private key, which the repr never shows."""

    name: str
    seed: bytes = field(repr=False)

    @property
    def key(self) -> NoteKey:
        """Return the public key."""
        return NoteKey(self.name, self._private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the signed note of a text. Each line of the text must end with a newline."""
        signature = self._private.sign(text.encode())
        return f"{text}\n\u2014 {self.name} {as_base64(self.key.id + signature)}\n"

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def open_note(note: str, keys: Iterable[NoteKey]) -> tuple[str, list[NoteKey]]:
    """Return a note's text, and the keys among `keys` that signed it; raises NoteError.

    Signatures of other keys are skipped, as the specification requires.
    """
    text, separator, signatures = note.rpartition("\n\n")
    text += "\n"
    lines = signatures.split("\n")
    if not separator or len(note) > LONGEST_NOTE or lines[-1] or len(lines) < 2:
        raise NoteError("this is not a signed note")
    known = {(key.name, key.id): key for key in keys}
    signed = []
    for line in lines[:-1]:
        match = SIGNATURE.fullmatch(line)
        if match is None:
            raise NoteError("a signature line of the note is not a signature")
        id_and_signature = _bytes(match[2])
        key = known.pop((match[1], id_and_signature[:ID_BYTES]), None)
        if key is not None:
            _check(key, text, id_and_signature[ID_BYTES:])
            signed.append(key)
    if not signed:
        raise NoteError(NO_KEY_SIGNED)
    return text, signed


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Hold the number of a log's entries, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{as_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Return the checkpoint of a note's text, which may end with extension lines; raises NoteError."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not lines[0] or not SIZE.fullmatch(lines[1]):
            raise NoteError("this is not a checkpoint")
        root = _bytes(lines[2])
        if len(root) != HASH_BYTES:
            raise NoteError("the root of a checkpoint must have 32 bytes")
        return cls(lines[0], int(lines[1]), root)


def open_signed(note: str, keys: Iterable[NoteKey]) -> tuple[Checkpoint, NoteKey]:
    """Return a checkpoint, and the key that signed it under the log's own name; raises NoteError."""
    text, signed = open_note(note, keys)
    checkpoint = Checkpoint.parse(text)
    for key in signed:
        if key.name == checkpoint.origin:
            return checkpoint, key
    raise NoteError("the checkpoint is signed by a key whose name is not the checkpoint's origin")


def read_checkpoint(note: str) -> Checkpoint:
    """Return the checkpoint of a note without checking its signatures; raises NoteError."""
    return Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")


def _check(key: NoteKey, text: str, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
    except (InvalidSignature, ValueError) as error:
        raise NoteError(f"the signature of {key.name!r} does not match this text") from error


def as_base64(some: bytes) -> str:
    """Return bytes as the text that notes, proofs and receipts have."""
    return base64.b64encode(some).decode()


def _bytes(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise NoteError("a part that should be base64 is not") from error
