"""`cookieguard receipt verify` answers any malformed file with one clear line and exit code 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cookieguard.cli.app import run
from cookieguard.features.records.values.merkle import leaf_hash
from cookieguard.features.records.values.notes import Checkpoint, NoteKey, Signer
from cookieguard.features.records.values.receipts import MOST_BYTES, write_receipt
from cookieguard.features.records.values.records import Record, to_bytes
from cookieguard.features.records.values.sealing import commitment

NAME = "shop.example/_cg/log"
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SHOP, STRANGER = (Signer(NAME, sha256(one).digest()) for one in (b"shop", b"stranger"))


def receipt(signer: Signer = SHOP, *, keys: list[NoteKey] | None = None, **facts: object) -> bytes:
    """Write the copy of the one record of a log."""
    record = to_bytes(Record(kind="consent", subject="customer:1", time=NOW, facts=facts or {"n": 3}))
    salt = bytes(32)
    entry = commitment(salt, record) + bytes(32)
    note = signer.sign(str(Checkpoint(NAME, 1, leaf_hash(entry))))
    return write_receipt(
        record, salt=salt, entry=entry, index=0, proof=[], checkpoint=note, keys=keys or [signer.key]
    )


def verified(
    text: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, str]:
    (tmp_path / "copy").write_bytes(text)
    code = run(["receipt", "verify", str(tmp_path / "copy"), *options])
    said = capsys.readouterr()
    return code, said.out + said.err


GOOD = receipt()


def with_member(name: str, value: object) -> bytes:
    return json.dumps(json.loads(GOOD) | {name: value}).encode()


def with_proof(change: Callable[[str], str]) -> bytes:
    return with_member("proof", change(json.loads(GOOD)["proof"]))


VALUES: list[Any] = [None, 1, 1.5, True, [], {}, "x", "\ud800", [1], [None], [{}], ["a+b+c"], "A" * 500_000]
HOSTILE = {
    "nothing": b"",
    "cut": GOOD[: len(GOOD) // 2],
    "huge": b" " * (MOST_BYTES + 1) + GOOD,
    "deep": b"[" * 200_000,
    "deep-record": with_member("record", None).replace(b"null", b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "utf-16": GOOD.decode().encode("utf-16"),
    "no-text": b"\xff\xfe\xfa",
    "nan": GOOD.replace(b'"n": 3', b'"n": NaN'),
    "nan-beside": GOOD.rstrip()[:-1] + b',"x": NaN}',
    "infinity": GOOD.rstrip()[:-1] + b',"x": -Infinity}',
    "fraction": GOOD.replace(b'"n": 3', b'"n": 3.0'),
    "number-as-text": GOOD.replace(b'"n": 3', b'"n": "3"'),
    "long-number": GOOD.replace(b'"n": 3', b'"n": ' + b"9" * 5000),
    "record-twice": GOOD.replace(b'"record": {', b'"record": {"a": 1}, "record": {', 1),
    "name-twice": GOOD.replace(b'"n": 3', b'"n": 4, "n": 3'),
    "long-index": with_proof(lambda proof: proof.replace("index 0", "index " + "9" * 5000)),
    "index-in-other-digits": with_proof(lambda proof: proof.replace("index 0", "index \u0660")),
    "negative-index": with_proof(lambda proof: proof.replace("index 0", "index -1")),
    "many-hashes": with_proof(lambda proof: proof.replace("index 0\n", "index 0\n" + "AAAA\n" * 100_000)),
    "half-a-character": with_proof(lambda proof: proof.replace("shop", "\ud800hop")),
    "unsigned": with_proof(lambda proof: proof.rpartition("\n\n")[0]),
    "signed-by-a-stranger": receipt(STRANGER, keys=[SHOP.key]),
    **{
        f"{name}-{number}": with_member(name, value)
        for name in ("format", "record", "salt", "stored", "proof", "keys")
        for number, value in enumerate(VALUES)
    },
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_file_ends_in_one_clear_line(
    text: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = verified(text, tmp_path, capsys)

    assert code == 1
    assert said.startswith("WRONG: ")
    assert said.count("\n") == 1
    assert len(said) < 300


def test_key_that_is_told_is_the_one_that_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forged = receipt(STRANGER, keys=[SHOP.key, STRANGER.key])

    code, said = verified(forged, tmp_path, capsys)
    assert code == 0
    assert f"signed by {STRANGER.key} (the copy's own key" in said
    assert str(SHOP.key) not in said
    assert verified(forged, tmp_path, capsys, "--key", str(SHOP.key))[0] == 1
    assert verified(GOOD, tmp_path, capsys, "--key", str(STRANGER.key), "--key", str(SHOP.key))[0] == 0


def test_text_of_a_record_cannot_forge_lines_of_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = verified(receipt(note="\x1b[2J\x9b1A\r\nsigned by the shop\u2028\u202e"), tmp_path, capsys)

    assert code == 0
    assert "note: \\x1b[2J\\x9b1A\\r\\nsigned by the shop\\u2028\\u202e\n" in said


@pytest.mark.parametrize("file", ["/dev/zero", "."])
def test_receipt_verify_of_a_path_that_is_no_file_ends_with_one_line(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["receipt", "verify", file]) > 0
    said = capsys.readouterr()
    assert (said.out + said.err).count("\n") == 1


def test_terminal_with_ascii_only_gets_escaped_text(tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(receipt(note="\u00e9\u4e2d"))
    command = [sys.executable, "-m", "cookieguard.cli", "receipt", "verify", str(tmp_path / "copy")]
    done = subprocess.run(
        command, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )

    assert done.stderr == b""
    assert b"note: \\xe9\\u4e2d" in done.stdout
