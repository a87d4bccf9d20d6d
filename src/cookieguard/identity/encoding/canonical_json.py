"""JSON inside tokens: one compact text per value, bounded in depth, nothing that is not JSON."""

from __future__ import annotations

import json
import marshal
import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from cookieguard.errors import CookieGuardError
from cookieguard.identity.encoding.fast_json import IS_READ_HERE, read, written

UNSHARED = 2  # the last format of marshal whose bytes do not tell what else refers to a value
MAX_DEPTH = 32  # deeper than any cart; far below where a JSON parser runs out of stack


class NotJsonError(CookieGuardError, TypeError):
    """Say that a value cannot be kept in a cookie, by its type only: the value may be personal."""


def encode(payload: dict[str, Any]) -> bytes:
    """Write a payload; equal payloads in equal order give equal bytes. Raises NotJsonError."""
    plain = written(payload)
    return _encode_any(payload) if plain is None else plain


def _encode_any(payload: dict[str, Any]) -> bytes:
    try:
        text = "".join(_pieces(payload, 0))
    except NotJsonError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        # The causes are NaN, a key that is no text or number, a circle, and nesting without end.
        raise NotJsonError(
            f"a cookie can only hold JSON; writing this value raised {type(error).__name__}"
        ) from None
    # surrogatepass: JSON text may hold half a surrogate pair, and json.loads gives it back.
    encoded = text.encode("utf-8", "surrogatepass")
    if _may_be_deep(encoded) and _is_too_deep(payload):
        raise NotJsonError(f"a cookie's JSON is nested too deep; allowed: {MAX_DEPTH} levels")
    return encoded


def decode(encoded: bytes) -> dict[str, Any]:
    """Read a payload; ValueError for anything but a JSON object within the depth limit."""
    plain = read(encoded)
    return _decode_any(encoded) if plain is None else plain


def _decode_any(encoded: bytes) -> dict[str, Any]:
    try:
        text = encoded.decode("utf-8", "surrogatepass")
        # A third of the cost of json.loads; it also refuses the blanks around, which we never write.
        payload, end = _scan(text, 0)
    except StopIteration as error:
        raise ValueError("no JSON") from error
    except RecursionError as error:
        raise ValueError("too deep") from error
    if end != len(text) or not isinstance(payload, dict) or (_may_be_deep(encoded) and _is_too_deep(payload)):
        raise ValueError("not an object within the depth limit")
    return payload


def image(payload: dict[str, Any]) -> bytes:
    """Return bytes that are the same for the same values, types and order, at a fifth of the cost of JSON.

    Never for the wire. What holds other types than `decode` gives has no image that `decode`d values have.
    """
    plain = written(payload)
    if plain is not None:
        return plain
    try:
        return marshal.dumps(payload, UNSHARED)
    except ValueError:
        return b""


def image_of(payload: dict[str, Any], text: bytes) -> bytes:
    """Return the image of what `text` was read as, or one that no payload has: then a closer look is taken."""
    return text if IS_READ_HERE else image(payload)


def _refuse(value: object) -> NoReturn:
    raise NotJsonError(f"a cookie can only hold JSON values, not {type(value).__name__}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    """Read a number with a point or an exponent; `1e999` is infinite, which we never write and `int` cannot take."""
    number = float(text)
    if math.isinf(number):
        raise ValueError("infinite")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_refuse)


def _encoder() -> Callable[[dict[str, Any], int], Iterable[str]]:
    """Return what `_ENCODER.encode` calls, made once: it makes its C encoder anew each time, half of all it takes.

    Without its memory of circles, which would have to be new as well: a circle ends in a RecursionError.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return lambda payload, _: (_ENCODER.encode(payload),)
    write = json.encoder.encode_basestring  # what ensure_ascii=False takes
    sorts = skips = allows_nan = False
    made: Callable[[dict[str, Any], int], Iterable[str]] = make(
        None, _refuse, write, None, ":", ",", sorts, skips, allows_nan
    )
    return made


_pieces = _encoder()
_scan: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]  # what raw_decode calls


def _may_be_deep(encoded: bytes) -> bool:
    """Ask cheaply first: fewer brackets than the limit cannot nest deeper than it."""
    return encoded.count(b"{") + encoded.count(b"[") > MAX_DEPTH


def _is_too_deep(payload: dict[str, Any]) -> bool:
    level: list[Any] = [payload]
    for _ in range(MAX_DEPTH):
        level = [child for one in level for child in _children(one) if isinstance(child, dict | list | tuple)]
        if not level:
            return False
    return True


def _children(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container
