"""The log's public files: its checkpoint, tiles and public keys. They contain no personal data."""

from __future__ import annotations

import struct
from functools import partial

from starlette.responses import JSONResponse, PlainTextResponse, Response

from cookieguard.features.records.store.protocol import LogStore, Stores
from cookieguard.features.records.values.merkle import HASH_BYTES
from cookieguard.features.records.values.sealing import ENTRY_BYTES
from cookieguard.features.records.values.tiles import WIDTH, TilePath, parse_path
from cookieguard.features.records.web.consent_log import ConsentLog
from cookieguard.web.exchange import Exchange

LOG_FOLDER, KEYS_PAGE = "log/", "keys.json"
CHECKPOINT, TILES = "checkpoint", "tile/"
SNIFFS = {"x-content-type-options": "nosniff"}
BRIEF = {"cache-control": "public, max-age=2", "access-control-allow-origin": "*", **SNIFFS}
FOREVER = {
    "cache-control": "public, max-age=31536000, immutable",
    "access-control-allow-origin": "*",
    **SNIFFS,
}
NONE = {"cache-control": "no-store", **SNIFFS}
NOT_THERE = "the log has no such file\n"
DOWN = "the log's store does not answer; try again\n"


class Published:
    """Serve the log's public files to outsiders who verify it."""

    def __init__(self, log: ConsentLog) -> None:
        self._log = log

    async def show_log(self, exchange: Exchange, _: object) -> Response:
        """Answer GET {prefix}log/checkpoint and {prefix}log/tile/... with the files of c2sp.org/tlog-tiles."""
        name = exchange.path.partition(f"{exchange.parts.config.prefix}{LOG_FOLDER}")[2]
        tile = parse_path(name.removeprefix(TILES)) if name.startswith(TILES) else None
        if not self._log.writer.exists or (tile is None and name != CHECKPOINT):
            return PlainTextResponse(NOT_THERE, 404, NONE)
        found = await self._log.read(partial(_read, tile=tile))
        if found is None:
            return PlainTextResponse(DOWN, 503, NONE)
        if not found:
            return PlainTextResponse(NOT_THERE, 404, NONE)
        if tile is None:
            return PlainTextResponse(found, headers=BRIEF)
        return Response(found, headers=FOREVER, media_type="application/octet-stream")

    async def show_keys(self, _: Exchange, __: object) -> Response:
        """Answer GET {prefix}keys.json: the log's name, and every public key that ever signed it."""
        if not self._log.writer.exists:
            return PlainTextResponse(NOT_THERE, 404, NONE)
        found = await self._log.read(_keys)
        if found is None:
            return PlainTextResponse(DOWN, 503, NONE)
        return JSONResponse({"origin": found[0], "keys": found[1]}, headers=BRIEF)


def _keys(stores: Stores) -> tuple[str, list[str]]:
    return stores.log.fact("origin") or "", stores.log.public_keys()


def _read(stores: Stores, *, tile: TilePath | None) -> bytes:
    """Return a tile, or the checkpoint if no tile is named; empty if the log has no such file."""
    if tile is None:
        return (stores.log.checkpoint() or "").encode()
    if tile.level is None:
        return _entries(stores.log, tile)
    hashes = stores.log.tile(tile.level, tile.n)[: tile.width * HASH_BYTES]
    return hashes if len(hashes) == tile.width * HASH_BYTES else b""


def _entries(log: LogStore, tile: TilePath) -> bytes:
    first = tile.n * WIDTH
    rows = list(log.rows(first, tile.width))
    entries = [row.entry for row in rows]
    if [row.number for row in rows] != list(range(first, first + tile.width)):
        return b""  # the log is shorter, or rows were pruned
    if any(len(entry) != ENTRY_BYTES for entry in entries):
        return b""
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)
