"""The demo's mail relay: it accepts every message over SMTP on this machine, and writes it to a folder."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

MOST_BYTES = 1024 * 1024  # of one message
END = b"\r\n.\r\n"
REPLIES = {
    b"EHLO": "250 the demo's relay",
    b"HELO": "250 the demo's relay",
    b"MAIL": "250 go on",
    b"RCPT": "250 go on",
    b"RSET": "250 forgotten",
    b"NOOP": "250 here",
    b"DATA": "354 end with a dot alone",
    b"QUIT": "221 good-bye",
}


@asynccontextmanager
async def taking_mail(taken: socket.socket, folder: Path) -> AsyncIterator[None]:
    """Accept mail on a socket while the block runs."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _talk(reader, writer, folder)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the sender disconnected, or sent too much
        finally:
            writer.close()

    async with await asyncio.start_server(answer, sock=taken, limit=MOST_BYTES):
        yield


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, folder: Path) -> None:
    await _reply(writer, "220 the demo's relay")
    while line := await reader.readline():
        command = line[:4].upper()
        await _reply(writer, REPLIES.get(command, "502 not known here"))
        if command == b"QUIT":
            return
        if command == b"DATA":
            message = await reader.readuntil(END)
            _keep(folder, message.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
            await _reply(writer, "250 taken")


async def _reply(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(f"{text}\r\n".encode())
    await writer.drain()


def _keep(folder: Path, message: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{sum(1 for _ in folder.iterdir()) + 1:04}.eml").write_bytes(message)
