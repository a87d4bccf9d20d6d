"""The check printed in docs/proof.md needs only the standard library and OpenSSL, and finds changed copies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cookieguard.features.records.values import sealing, tiles
from cookieguard.features.records.values.merkle import leaf_hash
from cookieguard.features.records.values.notes import Checkpoint, Signer
from cookieguard.features.records.values.receipts import ReceiptBroken, verify_receipt, write_receipt

PAGE = Path(__file__).parents[4] / "docs" / "proof.md"
SIGNER = Signer("shop.example/_cg/log", bytes(range(32)))
RECORD = '{"cg:given":true,"cg:said":"f\u00fcr Anna \\"x\\"","dct:identifier":"a"}'.encode()


@pytest.fixture
def copy() -> bytes:
    about = sealing.about_of("consent", 1)
    rows = [
        sealing.seal(RECORD, key=bytes(32), id=bytes(16), subject=bytes(16), about=about) for _ in range(11)
    ]
    kept = tiles.grow(lambda *_: b"", 0, [leaf_hash(row.entry) for row in rows])
    read: tiles.ReadTile = lambda level, index: kept.get((level, index), b"")  # noqa: E731
    salt, record = sealing.unseal(rows[9], bytes(32))
    return write_receipt(
        record,
        salt=salt,
        entry=rows[9].entry,
        index=9,
        proof=tiles.inclusion_proof(read, 9, 11),
        checkpoint=SIGNER.sign(str(Checkpoint(SIGNER.name, 11, tiles.tree_root(read, 11)))),
        keys=[SIGNER.key],
    )


def run(copy: bytes, directory: Path) -> subprocess.CompletedProcess[bytes]:
    program = re.search(r"^```python\n(import base64.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert program is not None
    (directory / "check.py").write_text(program[1])
    (directory / "copy.json").write_bytes(copy)
    command = [sys.executable, "-I", str(directory / "check.py"), str(directory / "copy.json")]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_the_printed_check_takes_a_copy_and_refuses_changed_ones(copy: bytes, tmp_path: Path) -> None:
    assert verify_receipt(copy, keys=[SIGNER.key]).index == 9
    found = run(copy, tmp_path)
    assert found.returncode == 0, found.stderr.decode()
    assert b"entry 9 of 11 in shop.example/_cg/log" in found.stdout
    for old, new in ((b"true", b"false"), (b"index 9", b"index 8"), (b"\\n11\\n", b"\\n12\\n")):
        changed = copy.replace(old, new, 1)
        assert changed != copy
        with pytest.raises(ReceiptBroken):
            verify_receipt(changed, keys=[SIGNER.key])
        assert run(changed, tmp_path).returncode != 0
