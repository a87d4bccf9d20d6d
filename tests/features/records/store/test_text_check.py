"""Texts that records refer to are checked in both databases, also if the records take several reads."""

from __future__ import annotations

from cookieguard.features.records.text_check import AT_ONCE, verify_named_texts, verify_stored_texts
from cookieguard.features.records.values.consents import Asker, Notice, mail_list_record
from cookieguard.features.records.values.shown import shown_as, text_of
from cookieguard.features.records.values.verification import Report

from .conftest import NOW, World

ASKER = Asker(controller="shop.example", jurisdiction="", withdrawal="/_cg/choices", recipients={})
FORM, POLICY = text_of(b"Yes, send it"), text_of(b"We keep orders for ten years.")
SHOWN = shown_as(
    policy="2026-01-01", policy_texts={"en": POLICY}, language="en", wordings={"form": FORM}, asked={}
)


def write(world: World) -> None:
    notice = Notice(digest=FORM[0], language="en", policy="2026-01-01", shown=SHOWN.digest)
    writer = world.writer()
    for number in range(AT_ONCE + 1):
        record = mail_list_record(
            ASKER, notice, name="news", given=True, method="x", time=NOW, subject=f"customer:{number}"
        )
        writer.append_later(record.id, lambda made=record: made, texts=SHOWN.texts)  # type: ignore[misc]
    writer.close()


def faults(world: World) -> list[str]:
    report, stores = Report(), world.stores()
    verify_stored_texts(stores.log, report)
    verify_named_texts(stores, report)
    stores.close()
    return [one.what for one in report.faults]


def test_text_that_was_changed_or_removed_is_named_once(world: World) -> None:
    write(world)
    assert faults(world) == []
    table = "shown" if world.place.log_file is not None else "cg_log_shown"

    world.run(f"DELETE FROM {table} WHERE digest = '{POLICY[0]}'")
    (missing,) = faults(world)
    assert missing == f"row 0 names the text {POLICY[0]}, which is missing in the store"
    zero = "x'00'" if world.place.log_file is not None else "'\\x00'::bytea"
    world.run(f"UPDATE {table} SET content = {zero} WHERE digest = '{FORM[0]}'")
    assert faults(world)[0] == f"the stored text {FORM[0]} was changed"
