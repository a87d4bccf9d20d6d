"""The JSON inside tokens: one compact text per value, with limited depth and without NaN or infinity."""

from __future__ import annotations

import json
import marshal
import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from cookieguard.errors import CookieGuardError
from cookieguard.identity.encoding.fast_json import IS_READ_HERE, read, written

UNSHARED = 2  # marshal format; from 3 on the bytes of equal values differ if an object is referenced twice
MAX_DEPTH = 32  # deeper than any cart, and far below the depth at which a JSON parser runs out of stack


class NotJsonError(CookieGuardError, TypeError):
    """A value that a cookie cannot hold. The message names only its type, because the value may be personal."""


def encode(payload: dict[str, Any]) -> bytes:
    """Return a payload as JSON; equal payloads in equal order give equal bytes. Raises NotJsonError."""
    plain = written(payload)
    return _encode_any(payload) if plain is None else plain


def _encode_any(payload: dict[str, Any]) -> bytes:
    try:
        text = "".join(_pieces(payload, 0))
    except NotJsonError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        # The causes are NaN, a key that is neither text nor number, a circular reference, and very deep nesting.
        raise NotJsonError(
            f"a cookie can only hold JSON; writing this value raised {type(error).__name__}"
        ) from None
    # surrogatepass, because JSON text may contain half a surrogate pair, which json.loads returns.
    encoded = text.encode("utf-8", "surrogatepass")
    if _may_be_deep(encoded) and _is_too_deep(payload):
        raise NotJsonError(f"a cookie's JSON is nested too deep; allowed: {MAX_DEPTH} levels")
    return encoded


def decode(encoded: bytes) -> dict[str, Any]:
    """Return the payload in JSON text; ValueError unless it is a JSON object within the depth limit."""
    plain = read(encoded)
    return _decode_any(encoded) if plain is None else plain


def _decode_any(encoded: bytes) -> dict[str, Any]:
    try:
        text = encoded.decode("utf-8", "surrogatepass")
        # Costs a third of json.loads, and refuses white space around the object, which `encode` never writes.
        payload, end = _scan(text, 0)
    except StopIteration as error:
        raise ValueError("no JSON") from error
    except RecursionError as error:
        raise ValueError("too deep") from error
    if end != len(text) or not isinstance(payload, dict) or (_may_be_deep(encoded) and _is_too_deep(payload)):
        raise ValueError("not an object within the depth limit")
    return payload


def image(payload: dict[str, Any]) -> bytes:
    """Return bytes that are equal if values, types and order are equal, at a fifth of the cost of JSON.

    For comparison only, never sent. A payload with types that `decode` never returns has an image of its own.
    """
    plain = written(payload)
    if plain is not None:
        return plain
    try:
        return marshal.dumps(payload, UNSHARED)
    except ValueError:
        return b""


def image_of(payload: dict[str, Any], text: bytes) -> bytes:
    """Return the image of the payload that was read from `text`."""
    return text if IS_READ_HERE else image(payload)


def _refuse(value: object) -> NoReturn:
    raise NotJsonError(f"a cookie can only hold JSON values, not {type(value).__name__}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    """Return a float; ValueError for one like `1e999`, which Python reads as infinity and JSON cannot represent."""
    number = float(text)
    if math.isinf(number):
        raise ValueError("infinite")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_refuse)


def _encoder() -> Callable[[dict[str, Any], int], Iterable[str]]:
    """Return the C encoder that `_ENCODER.encode` would make at each call, which takes half of its time.

    It keeps no record of circular references, which would have to be new at each call. A circle raises RecursionError.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return lambda payload, _: (_ENCODER.encode(payload),)
    write = json.encoder.encode_basestring  # used for ensure_ascii=False
    sorts = skips = allows_nan = False
    made: Callable[[dict[str, Any], int], Iterable[str]] = make(
        None, _refuse, write, None, ":", ",", sorts, skips, allows_nan
    )
    return made


_pieces = _encoder()
_scan: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]  # what raw_decode calls


def _may_be_deep(encoded: bytes) -> bool:
    """Return whether there are enough brackets to exceed the depth limit: a cheap test before the exact one."""
    return encoded.count(b"{") + encoded.count(b"[") > MAX_DEPTH


def _is_too_deep(payload: dict[str, Any]) -> bool:
    level: list[Any] = [payload]
    for _ in range(MAX_DEPTH):
        level = [
            child for parent in level for child in _children(parent) if isinstance(child, dict | list | tuple)
        ]
        if not level:
            return False
    return True


def _children(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container
