"""The owner's country database answers for every kind of address, is reread when it changes, and delays no request."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from harness.mmdb import country_database

from cookieguard.engines.files.country import Countries
from cookieguard.errors import ConfigError

AT_ONCE = timedelta(0)
BEFORE = country_database(
    {
        "198.51.0.0/16": "AT",
        "198.51.100.0/24": "DE",
        "2001:db8::/32": "FR",
        "2001:db8:7::/48": {"country_code": "CH"},
        "203.0.113.0/24": {"autonomous_system_number": "none of these"},
        "192.0.2.0/24": {"country": {"iso_code": ["DE"]}},
    }
)
AFTER = country_database({"198.51.100.0/24": "NL"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "countries.mmdb"
    path.write_bytes(BEFORE)
    return path


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("198.51.100.7", "DE"),
        ("198.51.101.7", "AT"),
        ("::ffff:198.51.100.7", "DE"),
        ("2001:db8::1", "FR"),
        ("2001:db8:7::1", "CH"),
        ("8.8.8.8", ""),
        ("10.0.0.1", ""),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("fd00::1", ""),
        ("fe80::1%eth0", ""),
        ("203.0.113.9", ""),
        ("192.0.2.9", ""),
        ("testclient", ""),
        ("", ""),
    ],
)
def test_every_address_has_a_country_or_none(file: Path, address: str, code: str) -> None:
    assert Countries(file)(address) == code


def replaced(file: Path, content: bytes) -> None:
    draft = file.with_suffix(".new")
    draft.write_bytes(content)
    draft.rename(file)


def written_over(file: Path, content: bytes) -> None:
    with file.open("r+b") as opened:
        opened.truncate(0)
        opened.write(content)
        os.utime(opened.fileno())


@pytest.mark.parametrize("change", [replaced, written_over])
def test_a_file_that_changes_is_followed(file: Path, change: Callable[[Path, bytes], None]) -> None:
    countries = Countries(file, look_every=AT_ONCE)
    before = countries("198.51.100.7")

    change(file, AFTER)

    assert (before, countries("198.51.100.7"), countries("2001:db8::1")) == ("DE", "NL", "")


@pytest.mark.parametrize("content", [b"", b"half of it", AFTER[: len(AFTER) // 2]])
def test_a_file_that_broke_meanwhile_leaves_what_was_known(
    file: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    countries = Countries(file, look_every=AT_ONCE)

    written_over(file, content)
    found = [countries("198.51.100.7") for _ in range(3)]
    file.unlink()
    found.append(countries("198.51.100.7"))
    replaced(file, AFTER)

    assert found == ["DE"] * 4
    assert countries("198.51.100.7") == "NL"
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line.partition(";")[0] for line in lines] == [
        f"statistics: stats.mmdb is {file} (not an MMDB file)",
        f"statistics: {file}: No such file or directory",
    ]


def test_a_file_is_not_asked_for_with_every_address(file: Path) -> None:
    countries = Countries(file)

    replaced(file, AFTER)

    assert countries("198.51.100.7") == "DE"


def test_a_database_that_is_broken_inside_names_no_country(file: Path) -> None:
    broken = bytearray(BEFORE)
    data = broken.index(b"iso_code") - 20
    broken[data : data + 30] = b"\xff" * 30
    file.write_bytes(broken)

    countries = Countries(file)

    assert {countries(address) for address in ("198.51.100.7", "198.51.101.7")} <= {"", "DE", "AT"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), (b"", "not an MMDB file"), (b"PK" * 5000, "not an MMDB file")],
)
def test_what_cannot_be_read_is_an_error_of_one_line(file: Path, content: bytes | None, reason: str) -> None:
    file.unlink()
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError) as error:
        Countries(file)

    assert str(error.value) == f"stats.mmdb is {file} ({reason}); allowed: a readable MMDB file"
