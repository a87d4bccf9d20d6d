"""A witness as c2sp.org/tlog-witness has it: it signs a checkpoint that continues what it saw of a log."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cookieguard.proof.merkle import EMPTY_ROOT
from cookieguard.proof.notes import COSIGNATURE, Checkpoint, NoteError, NoteKey, open_checkpoint
from harness.merkle import is_consistent
from harness.posts import Reply, answering
from harness.servers import LOOPBACK

NAME = "witness.example"
TIME = 1_800_000_000
PRIVATE = Ed25519PrivateKey.from_private_bytes(sha256(b"witness").digest())
KEY = NoteKey(NAME, PRIVATE.public_key().public_bytes_raw(), COSIGNATURE)
Answer = tuple[int, str, bytes]


@dataclass
class Witness:
    """Say where it answers and by which key; `logs` are the keys it knows, `answers` what it is to say instead."""

    url: str
    key: NoteKey = KEY
    logs: list[NoteKey] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    coding: str = ""
    """The content coding that an answer claims."""
    asked: list[bytes] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    """What happens while a request is on its way."""
    _kept: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def answer(self, body: bytes) -> Answer:
        """Answer as the specification says, or as the test does."""
        self.asked.append(body)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.answers:
            status, said = self.answers.pop(0)
            return status, "text/plain", said
        head, _, note = body.decode().partition("\n\n")
        try:
            return self._answer(*head.split("\n"), note=note, checkpoint=open_checkpoint(note, self.logs))
        except NoteError:
            return 403, "text/plain", b""

    def _answer(self, old: str, *proof: str, note: str, checkpoint: Checkpoint) -> Answer:
        size, root = self._kept.get(checkpoint.origin, (0, EMPTY_ROOT))
        if checkpoint.size < int(old.removeprefix("old ")):
            return 400, "text/plain", b""
        if old != f"old {size}":
            return 409, "text/x.tlog.size", b"%d\n" % size
        hashes = [base64.b64decode(one, validate=True) for one in proof]
        if not is_consistent(size, root, checkpoint.size, checkpoint.root, hashes):
            return 409 if size == checkpoint.size else 422, "text/plain", b""
        self._kept[checkpoint.origin] = checkpoint.size, checkpoint.root
        text = note.rpartition("\n\n")[0] + "\n"
        signature = PRIVATE.sign(f"cosignature/v1\ntime {TIME}\n{text}".encode())
        line = base64.b64encode(KEY.id + TIME.to_bytes(8, "big") + signature).decode()
        return 200, "text/plain", f"\u2014 {NAME} {line}\n".encode()


@contextmanager
def witness() -> Iterator[Witness]:
    """Run one until the block ends."""

    def reply(path: str, body: bytes) -> Reply:
        status, kind, said = running.answer(body) if path == "/w/add-checkpoint" else (404, "text/plain", b"")
        coding = {"content-encoding": running.coding} if running.coding else {}
        return status, {"content-type": kind, **coding}, said

    with answering(reply) as port:
        running = Witness(f"http://{LOOPBACK}:{port}/w/")
        yield running
