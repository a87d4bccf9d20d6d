"""Base64 in tokens: the Python source and its replacement in C agree."""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cookieguard
from cookieguard.identity.encoding import base64url

PLAIN = Path(cookieguard.__file__).parent / "identity" / "encoding" / "base64url.py"


def by_source() -> ModuleType:
    spec = importlib.util.spec_from_file_location("base64url_by_source", PLAIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TWINS = (by_source(), base64url)


def outcome(twin: ModuleType, text: str) -> bytes | None:
    try:
        return bytes(twin.from_base64url(text))
    except ValueError:
        return None


@pytest.mark.parametrize("twin", TWINS, ids=["source", "in use"])
@given(st.binary(max_size=80))
def test_what_is_written_is_rfc_4648_and_read_again(twin: ModuleType, raw: bytes) -> None:
    text = twin.to_base64url(raw)

    assert text == base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert twin.from_base64url(text) == raw


@given(st.text(max_size=20) | st.text("AQgwz09-_+/=", max_size=12))
def test_both_read_the_same_and_refuse_the_same(text: str) -> None:
    plain, used = (outcome(twin, text) for twin in TWINS)

    assert plain == used
