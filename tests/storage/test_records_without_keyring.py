"""A thief of the state directory without the keyring can open no record of the log, and finds no customer in it."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cookieguard.config import Config
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.store.open import open_log, open_stores, place_of
from cookieguard.features.records.values.log import LogDown
from cookieguard.features.records.values.records import Record, customer
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
CUSTOMERS = 50
KEY_BYTES, NONCE_BYTES, SUBJECT_BYTES = 32, 12, 16


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Give a shop whose log has a record with a mail address of each customer."""
    made = Config(state_dir=str(tmp_path / "state"))
    state = StateDirectory(made.state_dir)
    keyring = load_keyring(state, made.keys, environ={}, now=NOW)
    writer = open_log(made, state, keyring, environ={})
    assert writer is not None
    for number in range(CUSTOMERS):
        facts = {"mail": f"customer-{number}@shop.example"}
        writer.append(Record(kind="agreement", subject=customer(str(number)), time=NOW, facts=facts)).result(
            30
        )
    writer.close()
    return made


def stolen(config: Config, place: Path) -> Path:
    """Return a copy of the state directory without its keyring."""
    shutil.copytree(config.state_dir, place)
    assert not (place / "keyring").exists()
    return place


def windows(value: bytes) -> Iterator[bytes]:
    """Yield every 32 bytes in a value."""
    return (value[at : at + KEY_BYTES] for at in range(len(value) - KEY_BYTES + 1))


def opened_by_thief(state: Path) -> int:
    """Count the records that open with any 32 bytes of the subject's row, or of the secrets beside it."""
    with closing(sqlite3.connect(state / "subjects.db")) as file:
        keys = dict(file.execute("SELECT id, key FROM subject").fetchall())
        secrets = [value for (value,) in file.execute("SELECT value FROM secret")]
    with closing(sqlite3.connect(state / "log.db")) as log:
        rows = log.execute("SELECT id, subject, about, sealed FROM record").fetchall()
    return sum(
        any(opens(key, row) for value in (keys[row[1]], *secrets) for key in windows(bytes(value)))
        for row in rows
    )


def opens(key: bytes, row: tuple[bytes, bytes, bytes, bytes]) -> bool:
    id_, subject, about, sealed = row
    try:
        AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], id_ + subject + about)
    except InvalidTag:
        return False
    return True


def customers_found_by_thief(state: Path) -> int:
    """Count the customers whose row a thief finds who knows every customer number."""
    with closing(sqlite3.connect(state / "subjects.db")) as file:
        handles = {handle for (handle,) in file.execute("SELECT handle FROM subject")}
        secrets = [bytes(value) for (value,) in file.execute("SELECT value FROM secret")]
    keys = [key for value in secrets for key in windows(value)]
    names = [customer(str(number)).encode() for number in range(CUSTOMERS)]
    digests = ({hmac.digest(key, name, hashlib.sha256)[:SUBJECT_BYTES] for key in keys} for name in names)
    return sum(not handles.isdisjoint(one) for one in digests)


def unwrap(config: Config, state: Path) -> None:
    """Store keys as releases before did, in a copy of the state directory."""
    with closing(open_stores(place_of(config, Path(config.state_dir), environ={}), make=False)) as stores:
        handles = stores.subjects.secret("handles")
        with closing(sqlite3.connect(state / "subjects.db")) as file, file:
            for (id_,) in file.execute("SELECT id FROM subject").fetchall():
                file.execute(
                    "UPDATE subject SET key = ? WHERE id = ?", (stores.subjects.key_for(id_), bytes(id_))
                )
            file.execute("UPDATE secret SET value = ? WHERE name = 'handles'", (handles,))


def read_by_shop(config: Config) -> int:
    with closing(open_stores(place_of(config, Path(config.state_dir), environ={}), make=False)) as stores:
        found = [read_subject(stores, customer(str(number))) for number in range(CUSTOMERS)]
    return sum(b"@shop.example" in one.record for records in found for one in records)


def test_no_record_opens_without_the_keyring(config: Config, tmp_path: Path) -> None:
    state = stolen(config, tmp_path / "stolen")
    planted = stolen(config, tmp_path / "planted")
    unwrap(config, planted)

    assert opened_by_thief(planted) == CUSTOMERS  # the control: the same search where keys are not wrapped
    assert opened_by_thief(state) == 0
    assert read_by_shop(config) == CUSTOMERS


def test_no_customer_is_found_in_the_log_without_the_keyring(config: Config, tmp_path: Path) -> None:
    state = stolen(config, tmp_path / "stolen")
    planted = stolen(config, tmp_path / "planted")
    unwrap(config, planted)

    assert customers_found_by_thief(planted) == CUSTOMERS  # the control
    assert customers_found_by_thief(state) == 0


def test_log_says_what_it_lacks_and_changes_nothing_without_the_keyring(config: Config) -> None:
    place = place_of(config, Path(config.state_dir), environ={})
    stranger = place._replace(keyring=lambda: Keyring.generate(NOW))

    with (
        closing(open_stores(stranger, make=True)) as stores,
        pytest.raises(LogDown, match="bring the keyring"),
    ):
        read_subject(stores, customer("1"))

    assert read_by_shop(config) == CUSTOMERS
    assert os.listdir(config.state_dir)
