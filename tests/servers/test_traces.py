"""The search for addresses in written bytes finds each form that it is meant to find."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from servers.traces import FORMS, Written, draw

CLIENTS = draw(40, seed=1)
NOISE = (
    bytes(range(256)) * 20
    + b'203.0.113.0 - - [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n' * 50
)


def test_drawn_addresses_differ_and_change_when_they_are_cut() -> None:
    assert len(set(CLIENTS)) == len(CLIENTS)
    assert {address.version for address in CLIENTS} == {4, 6}
    assert not any(address.packed.endswith(b"\0") for address in CLIENTS)
    assert set(CLIENTS).isdisjoint(draw(40, seed=2))


@pytest.mark.parametrize("form", FORMS)
def test_a_planted_address_is_found_in_every_writing(form: str, tmp_path: Path) -> None:
    for address in CLIENTS[:4]:
        for index, writing in enumerate(FORMS[form](address)):
            planted = writing.encode() if isinstance(writing, str) else writing
            directory = tmp_path / f"{address.version}-{index}-{int(address)}"
            directory.mkdir()
            (directory / "log").write_bytes(NOISE + b"<" + planted + b">" + NOISE)
            written = Written(directory)

            assert written.traces_of([address])[form] == 1, planted
            assert written.traces_of(CLIENTS[4:]).total() == 0


@pytest.mark.parametrize("shift", range(3))
def test_base64_is_found_wherever_it_begins(shift: int, tmp_path: Path) -> None:
    for address in CLIENTS:
        log = tmp_path / f"{int(address)}"
        log.write_bytes(b64encode(b"x" * shift + str(address).encode() + b" and more"))

    assert Written(tmp_path).traces_of(CLIENTS)["base64"] == len(CLIENTS)


def test_a_name_of_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / str(CLIENTS[1])).touch()

    assert Written(tmp_path).traces_of(CLIENTS)["text"] == 1
