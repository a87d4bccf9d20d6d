"""Every waiting caller is notified when a record is on disk."""

from __future__ import annotations

import pytest

from cookieguard.features.records.values.log import Acknowledgement


def test_one_who_cannot_be_told_keeps_it_from_no_other(caplog: pytest.LogCaptureFixture) -> None:
    acknowledgement, told = Acknowledgement(), []

    def fail(_: Acknowledgement) -> None:
        raise RuntimeError("its event loop is closed")

    for tell in (told.append, fail, told.append):
        acknowledgement.add_done_callback(tell)
    acknowledgement.end()

    assert told == [acknowledgement, acknowledgement]
    assert "a caller that waited for a record was not informed" in caplog.text
