"""Asking somebody outside the shop: one POST, whose whole answer comes in time and has a length."""

from __future__ import annotations

import asyncio

from cookieguard.errors import CookieGuardError

SECONDS = 20.0  # for all of an answer: the job that waits is the one by which keys of visitors go
MOST_BYTES = 64 * 1024  # a time stamp with its certificates has 2 to 8 KB


class NoAnswer(CookieGuardError):
    """Say why there is none."""


def post(url: str, content: bytes, kind: str) -> tuple[int, str, bytes]:
    """Return status, media type and body; raises NoAnswer."""
    import httpx  # each worker imports this module, and most never ask

    try:
        return asyncio.run(asyncio.wait_for(_post(url, content, kind), SECONDS))
    except (httpx.HTTPError, TimeoutError) as error:
        raise NoAnswer(f"does not answer: {type(error).__name__}") from error


async def _post(url: str, content: bytes, kind: str) -> tuple[int, str, bytes]:
    """Bound by who asks: what answers may send a byte at a time.

    Nothing is unpacked: 64 KB of gzip are 64 MB, of Brotli more than a worker has.
    """
    import httpx

    headers = {"content-type": kind, "accept-encoding": "identity"}
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(None)) as client,
        client.stream("POST", url, content=content, headers=headers) as response,
    ):
        answer = b""
        async for some in response.aiter_raw():
            answer += some
            if len(answer) > MOST_BYTES:
                raise NoAnswer(f"answers with more than {MOST_BYTES} bytes")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return response.status_code, media_type, answer
