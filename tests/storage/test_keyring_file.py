"""A keyring follows its file: which changes it takes over, which it refuses, and what it logs."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from harness.quick import some_of

from cookieguard.errors import KeyringFixed
from cookieguard.identity import TokenCodec, TokenError, TokenKind
from cookieguard.keyring import Key, Keyring, KeyState, new_pair
from cookieguard.storage.keyring_file import (
    HASTE,
    LOOK_EVERY,
    WatchedKeyring,
    change_keyring,
    read_keyring,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AT_ONCE = timedelta(0)
TRIES = 20
# Changes the keyring as fast as it can.
ROTATING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cookieguard.storage.keyring_file import change_keyring
from cookieguard.keyring import new_key

def change(what):
    change_keyring(Path(sys.argv[1]), "keys.file", what)

print("begun", flush=True)
while True:
    key = new_key(datetime.now(UTC))
    change(lambda before: before.with_key(key))
"""
LATER = timedelta(hours=1)


def key(key_id: str, state: KeyState = KeyState.VERIFY, secret: bytes = b"") -> Key:
    return Key(id=key_id, secret=(secret or key_id.encode()).ljust(32, b"-"), state=state, created=NOW)


K1, K2 = key("k1", KeyState.SIGNING), key("k2")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keyring"
    put(path, Keyring([K1]).dumps())
    return path


def put(path: Path, text: str) -> None:
    draft = path.with_name("draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.rename(path)


def test_changed_file_is_in_force_without_a_restart(file: Path) -> None:
    keyring = WatchedKeyring(file, "keys.file", look_every=AT_ONCE)
    assert (keyring.get("k2"), keyring.signing) == (None, K1)

    change_keyring(file, "keys.file", lambda before: before.with_key(K2))  # type: ignore[union-attr]
    assert (keyring.get("k2"), keyring.signing) == (K2, K1)

    change_keyring(file, "keys.file", lambda before: before.promoted("k2", now=NOW + LATER))  # type: ignore[union-attr]
    assert keyring.signing.id == "k2"

    change_keyring(
        file,
        "keys.file",
        lambda before: before.retired("k1", now=NOW, life=LATER, force=True),  # type: ignore[union-attr]
    )
    assert (keyring.get("k1"), keyring.ids) == (None, ("k2",))


def test_file_is_looked_at_within_five_seconds_and_not_for_every_question(file: Path) -> None:
    # Where this process is held up for as long as HASTE is, the file is looked at again
    for _ in range(TRIES):
        put(file, Keyring([K1]).dumps())
        keyring = WatchedKeyring(file, "keys.file")
        put(file, Keyring([K1, K2]).dumps())
        known = keyring.get("k2")
        if known is None:
            break

    assert known is None
    assert timedelta(0) < LOOK_EVERY <= timedelta(seconds=5)
    time.sleep(LOOK_EVERY.total_seconds() + 0.1)
    assert keyring.get("k2") == K2


def test_id_that_nobody_knows_is_looked_for_soon(file: Path) -> None:
    """Another worker may sign with a key that is new: its customers must not be thrown out here meanwhile."""
    keyring = WatchedKeyring(file, "keys.file")
    time.sleep(HASTE.total_seconds())

    put(file, Keyring([K1, K2]).dumps())

    assert keyring.get("k2") == K2


def test_key_that_is_added_and_promoted_between_two_looks_is_known_soon(file: Path) -> None:
    """The third file gets the first one's inode (ext4), and is not one that was written in place."""
    keyring = WatchedKeyring(file, "keys.file")
    change_keyring(file, "keys.file", lambda before: before.with_key(K2))  # type: ignore[union-attr]
    change_keyring(
        file,
        "keys.file",
        lambda before: before.promoted("k2", now=NOW, force=True),  # type: ignore[union-attr]
    )
    time.sleep(HASTE.total_seconds())

    assert keyring.get("k2") is not None


def test_file_that_is_written_in_place_counts_once_it_stands_still(file: Path) -> None:
    whole = Keyring([K1, K2]).dumps()
    put(file, whole)
    keyring = WatchedKeyring(file, "keys.file", look_every=AT_ONCE)
    lines = whole.splitlines(keepends=True)

    for cut in range(len(lines)):  # an editor writes a part, and then the rest
        file.write_text("".join(lines[:cut]))
        assert keyring.get("k2") == K2
        file.write_text(whole)
    assert keyring.ids == ("k1", "k2")

    file.write_text(Keyring([K1]).dumps())
    assert [keyring.get("k2"), keyring.get("k2")] == [K2, None]
    assert keyring.ids == ("k1",)


def test_tokens_follow_the_file(file: Path) -> None:
    keyring = WatchedKeyring(file, "keys.file", look_every=AT_ONCE)
    codec = TokenCodec(keyring, kind=TokenKind.SESSION, name="s", sealed=True)
    old = codec.dumps({"n": 1}, host="shop.example", issued=NOW, expires=NOW + LATER)

    put(file, Keyring([key("k1"), key("k2", KeyState.SIGNING)]).dumps())
    read = codec.loads(old, host="shop.example", now=NOW)
    assert (read.payload, codec.is_current(read)) == ({"n": 1}, False)
    new = codec.dumps({"n": 1}, host="shop.example", issued=NOW, expires=NOW + LATER)
    assert codec.is_current(codec.loads(new, host="shop.example", now=NOW))

    put(file, Keyring([key("k2", KeyState.SIGNING)]).dumps())
    with pytest.raises(TokenError, match="unknown key"):
        codec.loads(old, host="shop.example", now=NOW)


def test_id_of_a_pair_in_a_token_is_an_unknown_key(file: Path) -> None:
    pair = new_pair(NOW)
    change_keyring(file, "keys.file", lambda before: before.with_key(pair))  # type: ignore[union-attr]
    codec = TokenCodec(WatchedKeyring(file, "keys.file"), kind=TokenKind.SESSION, name="s", sealed=True)
    token = codec.dumps({}, host="shop.example", issued=NOW, expires=NOW + LATER)

    with pytest.raises(TokenError, match="unknown key"):
        codec.loads(token.replace(".k1.", f".{pair.id}."), host="shop.example", now=NOW)
    assert codec.loads(token, host="shop.example", now=NOW).key_id == "k1"


def broken(path: Path) -> None:
    put(path, "nonsense")


def missing(path: Path) -> None:
    path.unlink()


def wide(path: Path) -> None:
    put(path, Keyring([K1, K2]).dumps())
    path.chmod(0o644)


def swapped(path: Path) -> None:
    put(path, Keyring([key("k1", KeyState.SIGNING, b"other"), K2]).dumps())


@pytest.mark.parametrize("spoil", [broken, missing, wide, swapped])
def test_spoiled_file_leaves_the_keys_in_force_and_is_told_once(
    file: Path, caplog: pytest.LogCaptureFixture, spoil: object
) -> None:
    keyring = WatchedKeyring(file, "keys.file", look_every=AT_ONCE)
    spoil(file)  # type: ignore[operator]

    with caplog.at_level(logging.WARNING, logger="cookieguard"):
        assert [keyring.signing for _ in range(3)] == [K1] * 3

    (record,) = caplog.records
    assert record.getMessage().endswith("the keys known so far stay in force until this is fixed")
    put(file, Keyring([K1, K2]).dumps())
    assert keyring.get("k2") == K2


def test_another_keyring_in_its_place_is_told(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    keyring = WatchedKeyring(file, "keys.file", look_every=AT_ONCE)

    with caplog.at_level(logging.WARNING, logger="cookieguard"):
        put(file, Keyring([K1, K2]).dumps())
        assert keyring.get("k2") == K2
        assert not caplog.records  # one of them was known
        put(file, Keyring([key("k3", KeyState.SIGNING)]).dumps())
        assert keyring.signing.id == "k3"

    (record,) = caplog.records
    assert record.getMessage().endswith("holds other keys now, so nothing signed before counts")


def test_id_of_a_retired_key_does_not_come_back_with_another_secret(file: Path) -> None:
    put(file, Keyring([K1, K2]).dumps())
    keyring = WatchedKeyring(file, "keys.file", look_every=AT_ONCE)
    put(file, Keyring([K1]).dumps())
    assert keyring.get("k2") is None

    put(file, Keyring([K1, key("k2", secret=b"other")]).dumps())
    assert keyring.get("k2") is None

    put(file, Keyring([K1, K2]).dumps())
    assert keyring.get("k2") == K2


def test_failed_change_leaves_the_file_as_it_was(file: Path) -> None:
    before = file.read_bytes()

    with pytest.raises(ValueError, match="stop"):
        change_keyring(file, "keys.file", lambda _: (_ for _ in ()).throw(ValueError("stop")))

    assert file.read_bytes() == before
    assert os.listdir(file.parent) == ["keyring"]


# By then one comes in the midst of a change: one in three does on a disk, one in ten in memory
MOST_KILLS = 100


@pytest.mark.parametrize("kills", some_of([3, 12], 3))
def test_a_command_that_is_killed_leaves_a_whole_keyring_and_its_draft_goes_with_the_next(
    file: Path, kills: int
) -> None:
    """Killed in the midst of one change after another: drafts lie about, and hold secrets."""
    chance, known = random.Random(3), Keyring.loads(file.read_text(), setting="keys.file")
    for kill in count(1):
        rotating = subprocess.Popen([sys.executable, "-c", ROTATING, str(file)], stdout=subprocess.PIPE)
        assert rotating.stdout is not None
        assert rotating.stdout.readline() == b"begun\n"
        time.sleep(chance.uniform(0, 0.03))
        while kill > kills and not drafts(file) and rotating.poll() is None:
            pass  # chance alone seldom meets a moment so short
        rotating.kill()
        rotating.communicate()
        found = Keyring.loads(read_keyring(file, "keys.file")[0], setting="keys.file")
        assert found.get("k1") == K1
        known = found
        left = drafts(file)
        if kill >= kills and (left or kill == MOST_KILLS):
            break
    print(f"{len(left)} drafts after {kill} kills, {len(known.ids)} keys")

    for one in left:
        os.utime(one, (0, 0))
    young = file.with_name(f".{file.name}.{'a1' * 8}")
    young.touch()
    change_keyring(file, "keys.file", lambda before: before)  # type: ignore[arg-type,return-value]

    assert drafts(file) == [young]
    assert left, "no kill came in the midst of a change"


def drafts(file: Path) -> list[Path]:
    return [one for one in file.parent.iterdir() if one.name.startswith(f".{file.name}.")]


def test_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyringFixed, match="cannot be written"):
        change_keyring(tmp_path / "no" / "keyring", "keys.file", lambda _: Keyring([K1]))
