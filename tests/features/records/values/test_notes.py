"""Signed notes and checkpoints: the published example, forgeries, and agreement with another implementation."""

from __future__ import annotations

import base64
from importlib.util import find_spec

import pytest

from cookieguard.features.records.values.notes import (
    Checkpoint,
    NoteError,
    NoteKey,
    Signer,
    open_note,
    open_signed,
    read_checkpoint,
)

# The example of Go's golang.org/x/mod/sumdb/note, which the specification was taken from.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = (
    f"{TEXT}\n\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ORIGIN = "shop.example/_cg/log"


@pytest.fixture
def signer() -> Signer:
    return Signer(ORIGIN, bytes(range(32)))


def test_the_published_note_is_signed_and_opened_byte_for_byte() -> None:
    key = NoteKey.parse(KEY)

    assert Signer("PeterNeumann", SEED).sign(TEXT) == NOTE
    assert str(key) == KEY
    assert open_note(NOTE, [key]) == (TEXT, [key])


def test_a_key_under_another_name_or_id_is_refused() -> None:
    for text in (KEY.replace("Peter", "Pater"), KEY.replace("c74f20a3", "c74f20a4"), "a", "a+b+c", ""):
        with pytest.raises(NoteError):
            NoteKey.parse(text)


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("answer", "answre"),
        NOTE.replace("x08go/ZJ", "x08go/ZK"),
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("\u2014", "-"),
        TEXT,
        "",
    ],
)
def test_a_changed_note_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        open_note(note, [NoteKey.parse(KEY)])


def test_a_note_signed_by_others_only_is_refused(signer: Signer) -> None:
    with pytest.raises(NoteError):
        open_note(NOTE, [signer.key])


def test_a_signature_of_somebody_else_beside_ours_is_passed_over(signer: Signer) -> None:
    note = signer.sign("a\n")
    line = NOTE.splitlines(keepends=True)[-1]

    assert open_note(note + line, [signer.key])[1] == [signer.key]


def test_a_checkpoint_says_origin_size_and_root(signer: Signer) -> None:
    checkpoint = Checkpoint(ORIGIN, 70_000, bytes(32))
    note = signer.sign(str(checkpoint))

    assert note.splitlines()[:3] == [ORIGIN, "70000", base64.b64encode(bytes(32)).decode()]
    assert open_signed(note, [signer.key])[0] == read_checkpoint(note) == checkpoint


@pytest.mark.parametrize("size", ["-1", "01", "1e3", "", "\u0661", "9" * 20])
def test_a_checkpoint_of_no_size_is_refused(signer: Signer, size: str) -> None:
    note = signer.sign(f"{ORIGIN}\n{size}\n{base64.b64encode(bytes(32)).decode()}\n")

    with pytest.raises(NoteError):
        open_signed(note, [signer.key])


def test_a_checkpoint_that_is_signed_under_another_logs_name_is_refused() -> None:
    other = Signer("other.example/log", bytes(range(32)))
    note = other.sign(str(Checkpoint(ORIGIN, 1, bytes(32))))

    with pytest.raises(NoteError):
        open_signed(note, [other.key])


@pytest.mark.skipif(find_spec("aics_tlog") is None, reason="aics-tlog needs Python 3.12")
def test_a_verifier_of_the_c2sp_formats_opens_our_checkpoints(signer: Signer) -> None:
    import aics_tlog as other

    note = signer.sign(str(Checkpoint(ORIGIN, 12, bytes(range(32)))))
    key = other.parse_vkey(str(signer.key))

    assert other.verify_note(other.parse_note(note), [key])
    theirs = other.parse_checkpoint(other.parse_note(note).text)
    assert (theirs.origin, theirs.size) == (ORIGIN, 12)
    with pytest.raises(ValueError, match=r"."):
        other.parse_note(note.replace("\u2014", "-"))
