"""`log verify` and doctor name each kind of tampering with log, tiles, checkpoints, keys, wordings and texts."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from harness.asgi import ask, page
from harness.parts import log_of
from harness.policies import FIRST, OLD, put_version

from cookieguard import CookieGuard, visitor_of
from cookieguard.cli.app import run
from cookieguard.config.loading.trial import read_config
from cookieguard.features.checks import examine
from cookieguard.features.records.values.notes import Signer, read_checkpoint
from cookieguard.features.records.values.records import Record

from .test_consent_log import FORM, OWN

BOX = "Yes, send me the newsletter."
TOML = 'origins = ["https://shop.example"]\n[policy]\nfolder = "policy"\n'
# Past one full tile of 256, so that a tile of the next level is there as well.
RECORDS = 300

Change = Callable[[Path, sqlite3.Connection], None]


def sql(*statements: str) -> Change:
    def change(_: Path, log: sqlite3.Connection) -> None:
        for one in statements:
            assert log.execute(one).rowcount > 0, one

    return change


def text_in(log: sqlite3.Connection, part: bytes) -> tuple[str, bytes]:
    """Return the stored text that contains something."""
    (found,) = [row for row in log.execute("SELECT digest, content FROM shown") if part in row[1]]
    digest, content = found
    return str(digest), bytes(content)


def rewritten(part: bytes, by: bytes) -> Change:
    def change(_: Path, log: sqlite3.Connection) -> None:
        digest, content = text_in(log, part)
        log.execute("UPDATE shown SET content = ? WHERE digest = ?", (content.replace(part, by), digest))

    return change


def removed(part: bytes) -> Change:
    def change(_: Path, log: sqlite3.Connection) -> None:
        log.execute("DELETE FROM shown WHERE digest = ?", text_in(log, part)[:1])

    return change


def replaced(part: bytes, by: bytes) -> Change:
    """Put another text in its place, under the right digest of its own."""

    def change(_: Path, log: sqlite3.Connection) -> None:
        digest, content = text_in(log, part)
        new = content.replace(part, by)
        row = (sha256(new).hexdigest(), new, digest)
        log.execute("UPDATE shown SET digest = ?, content = ? WHERE digest = ?", row)

    return change


def cut(_: Path, log: sqlite3.Connection) -> None:
    (newest,) = log.execute("SELECT max(size) FROM checkpoint").fetchone()
    (size,) = log.execute("SELECT max(size) FROM checkpoint WHERE size < ?", (newest,)).fetchone()
    log.execute("DELETE FROM checkpoint WHERE size > ?", (size,))
    log.execute("DELETE FROM record WHERE number >= ?", (size,))
    log.execute(
        "UPDATE tile SET hashes = substr(hashes, 1, 32 * (? % 256)) WHERE level = 0 AND n = ?",
        (size, size // 256),
    )


def set_back(shop: Path, log: sqlite3.Connection) -> None:
    log.close()
    shutil.copy(shop / "older.db", shop / ".cookieguard" / "log.db")


def newest_changed(_: Path, log: sqlite3.Connection) -> None:
    size, note = log.execute("SELECT size, note FROM checkpoint ORDER BY size DESC").fetchone()
    lines = note.split("\n")
    lines[2] = lines[2][::-1]
    log.execute("UPDATE checkpoint SET note = ? WHERE size = ?", ("\n".join(lines), size))


def signed_by_another(_: Path, log: sqlite3.Connection) -> None:
    size, note = log.execute("SELECT size, note FROM checkpoint ORDER BY size DESC").fetchone()
    forged = Signer(read_checkpoint(note).origin, bytes(32)).sign(note.partition("\n\n")[0] + "\n")
    log.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (forged, size))


def keys_swapped(shop: Path, _: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(shop / ".cookieguard" / "subjects.db")) as keys, keys:
        keys.execute("UPDATE subject SET key = zeroblob(32)")


def file_edited(shop: Path, _: sqlite3.Connection) -> None:
    put_version(shop / "policy", FIRST, OLD.replace("ten years", "99 years"))


def file_removed(shop: Path, _: sqlite3.Connection) -> None:
    (shop / "policy" / FIRST / "de.md").unlink()


SWAPPED = (
    "UPDATE record SET number = -9 WHERE number = 5",
    "UPDATE record SET number = 5 WHERE number = 6",
    "UPDATE record SET number = 6 WHERE number = -9",
)
MOVED_UP = (
    "DELETE FROM record WHERE number = 5",
    "UPDATE record SET number = -number WHERE number > 5",
    "UPDATE record SET number = -number - 1 WHERE number < -5",
)
APPENDED = """INSERT INTO record (number, id, subject, about, entry, sealed, mac)
    SELECT (SELECT max(number) + 1 FROM record), x'00', subject, about, entry, sealed, mac
    FROM record WHERE number = 5"""
FORGED_NOTE = "INSERT INTO pruned (note) SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1"
KINDS: dict[str, tuple[Change, str]] = {
    "bytes of a record": (
        sql("UPDATE record SET sealed = zeroblob(length(sealed)) WHERE number = 5"),
        "row 5 was changed",
    ),
    "entry of a record": (
        sql("UPDATE record SET entry = (SELECT entry FROM record WHERE number = 6) WHERE number = 5"),
        "row 5 ",
    ),
    "time of a record": (
        sql(
            "UPDATE record SET about = CAST(x'0000000000000001' || substr(about, 9) AS BLOB) WHERE number = 5"
        ),
        "row 5 was changed",
    ),
    "person of a record": (
        sql("UPDATE record SET subject = (SELECT subject FROM record WHERE number = 1) WHERE number = 5"),
        "row 5 was changed",
    ),
    "record removed": (sql("DELETE FROM record WHERE number = 5"), "row 5 is missing"),
    "records swapped": (sql(*SWAPPED), "row 5 is not the one in the tree"),
    "records moved up": (sql(*MOVED_UP), "row 5 is not the one in the tree"),
    "record appended": (sql(APPENDED), "is not covered by a checkpoint"),
    "record removed with a forged note": (
        sql("DELETE FROM record WHERE number = 5", FORGED_NOTE),
        "a note of removed records",
    ),
    "newest records cut off": (cut, "cut, or set back"),
    "older copy of the log": (set_back, "cut, or set back"),
    "tile of entries": (
        sql("UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND n = 0"),
        "tile 0/0",
    ),
    "tile of tiles": (
        sql("UPDATE tile SET hashes = zeroblob(32) WHERE level = 1"),
        "the one above it was changed",
    ),
    "tile removed": (sql("DELETE FROM tile WHERE level = 0 AND n = 0"), "tile 0/0"),
    "root in a checkpoint": (newest_changed, "the checkpoint of"),
    "checkpoint of another key": (signed_by_another, "none of the keys"),
    "keys of persons": (keys_swapped, "does not open"),
    "banner rewritten": (rewritten(b"Your privacy", b"Welcome"), "the stored text"),
    "form rewritten": (rewritten(b'class="back"', b'class="off"'), "the stored text"),
    "banner removed": (removed(b"Your privacy"), "names the text"),
    "box rewritten": (rewritten(BOX.encode(), b"Yes."), "the stored text"),
    "box replaced": (replaced(BOX.encode(), b"Yes."), "names the text"),
    "document of what was shown": (rewritten(b'"banner":"', b'"banner":"00'), "the stored text"),
    "text of the policy in the log's store": (rewritten(b"ten years", b"99 years"), "the stored text"),
    "text of the policy removed there": (removed(b"zehn Jahre"), "names the text"),
    "file of a version in force": (file_edited, f"{FIRST}/en.md changed after publication"),
    "file of a version removed": (file_removed, f"{FIRST}/de.md changed after publication"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a shop whose log has choices, a box, the policy's texts, and more records than a tile holds."""
    shop = tmp_path_factory.mktemp("shop")
    put_version(shop / "policy", FIRST, OLD)
    put_version(shop / "policy", FIRST, "# Datenschutz\n\nWir speichern zehn Jahre.\n", language="de")
    (shop / "cookieguard.toml").write_text(TOML)

    async def app(scope: object, receive: object, send: object) -> None:
        if scope["path"] == "/join":  # type: ignore[index]
            visitor_of(scope).agree("newsletter", text=BOX, given=True, who="anna")  # type: ignore[arg-type]
        await page(b"<!doctype html><html lang=en><title>x</title><body>x")(scope, receive, send)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shop)
        for count in (RECORDS, 2):  # two runs, with a checkpoint after each
            guarded = CookieGuard(app, read_config("cookieguard.toml"))
            shown = ask(guarded).text.partition('name="banner" value="')[2].partition('"')[0]
            for choice in ("accept", "reject"):
                body = f"choice={choice}&banner={shown}".encode()
                ask(guarded, path="/_cg/consent", method="POST", headers=[FORM, OWN], body=body)
            ask(guarded, path="/join", method="POST")
            log = log_of(guarded)
            for number in range(count):
                log.writer.append(
                    Record(kind="note", subject=f"customer:{number}", time=datetime.now(UTC), facts={})
                )
            guarded.close()
            if count == RECORDS:
                shutil.copy(shop / ".cookieguard" / "log.db", shop / "older.db")
    return shop


@pytest.fixture
def shop(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of the shop, and be in its directory."""
    shutil.copytree(made, tmp_path / "shop")
    (tmp_path / "shop" / ".cookieguard").chmod(0o700)
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `log verify` and doctor find wrong, of log and policy."""
    code = run(["log", "verify", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (code == 0) == (report["verdict"] == "whole") == (not report["faults"])
    found = examine(read_config("cookieguard.toml"), environ={}, now=datetime.now(UTC))
    ours = [one.found for one in found if one.mend and one.check.startswith(("consent log", "policy"))]
    return "\n".join([one["what"] for one in report["faults"]] + ours)


def test_untouched_log_is_whole(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(shop / ".cookieguard" / "log.db")) as log:
        assert log.execute("SELECT max(size) FROM checkpoint").fetchone()[0] > RECORDS + 6

    assert told(capsys) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_tampering_is_named(shop: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    change, named = KINDS[kind]
    with closing(sqlite3.connect(shop / ".cookieguard" / "log.db")) as log:
        change(shop, log)
        if kind != "older copy of the log":
            log.commit()

    assert named in told(capsys)


def test_row_that_waits_for_its_number_is_refused_by_the_sequencer(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = APPENDED.replace("(SELECT max(number) + 1 FROM record)", "NULL").replace(
        "x'00'", "randomblob(16)"
    )
    with closing(sqlite3.connect(shop / ".cookieguard" / "log.db")) as log, log:
        log.execute(forged.replace(" mac FROM", " zeroblob(16) FROM"))
        (size,) = log.execute("SELECT max(size) FROM checkpoint").fetchone()
    assert told(capsys) == ""  # nobody has numbered it yet

    with closing(CookieGuard(page(b""), read_config("cookieguard.toml"))) as guarded:
        ask(guarded)

    with closing(sqlite3.connect(shop / ".cookieguard" / "log.db")) as log:
        assert log.execute("SELECT max(size) FROM checkpoint").fetchone()[0] == size
    assert "a row that no worker wrote" in told(capsys)
