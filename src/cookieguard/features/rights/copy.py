"""A customer's copy of their data: a zip with JSON for machines and a page that people can read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from importlib.resources import files
from typing import Any

from anyio import to_thread
from jinja2 import Environment, StrictUndefined, Template

from cookieguard.config import Config
from cookieguard.config.languages import nearest_text, texts_of
from cookieguard.features.rights.hook_calls import exported
from cookieguard.features.rights.values.answers import RightsTexts, titles_of
from cookieguard.features.rights.values.requests import Request
from cookieguard.rights.hooks import Exported

JSON_NAME, PAGE_NAME = "data.json", "index.html"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the earliest time that the zip format can store


async def make_copy(
    request: Request,
    ours: Sequence[tuple[str, Mapping[str, Any]]],
    config: Config,
    *,
    hooks: Any,
    seconds: float,
    now: datetime,
) -> bytes:
    """Return the zip of what the shop's hook exports, followed by `ours`. Raises what the hook raises."""
    rows = await exported(hooks, request.customer, seconds=seconds)
    rows += [Exported(kind=f"cookieguard: {kind}", values=values) for kind, values in ours]
    return await to_thread.run_sync(partial(write_copy, request, rows, config, now=now))


def write_copy(request: Request, rows: Sequence[Exported], config: Config, *, now: datetime) -> bytes:
    """Return the zip. All values are untrusted text, which the page escapes."""
    moment = now.timetuple()[:6] if now.year > EARLIEST[0] else EARLIEST
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            (JSON_NAME, _json(request, rows, config, now)),
            (PAGE_NAME, _page(request, rows, config, now)),
        ):
            archive.writestr(zipfile.ZipInfo(name, moment), text.encode(), zipfile.ZIP_DEFLATED)
    return zipped.getvalue()


def _json(request: Request, rows: Sequence[Exported], config: Config, now: datetime) -> str:
    document = {
        "made": now.isoformat(timespec="seconds"),
        "request": request.id,
        "controller": {"name": config.controller.name, "address": list(config.controller.address)},
        "kinds": {
            kind.id: {
                "title": nearest_text(kind.title, request.language, config.consent.language)[0],
                "purpose": nearest_text(kind.purpose, request.language, config.consent.language)[0],
                "basis": kind.basis,
                "reason": kind.reason,
                "retention": kind.retention,
                "recipients": list(kind.recipients),
            }
            for kind in config.data
        },
        "rows": [_facts(row) for row in rows],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, default=str)


def _facts(row: Exported) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": row.kind, "values": dict(row.values)}
    if row.kept_until is not None or row.reason:
        until = None if row.kept_until is None else row.kept_until.isoformat()
        facts |= {"kept_until": until, "reason": row.reason}
    return facts


def _page(request: Request, rows: Sequence[Exported], config: Config, now: datetime) -> str:
    texts = RightsTexts.of(config.language_for(request.language))
    known = titles_of(config, texts.lang)
    sections: dict[str, list[Exported]] = {}
    for row in rows:
        sections.setdefault(row.kind, []).append(row)
    return _template().render(
        lang=texts.lang,
        dir=texts_of(texts.lang)["meta"]["dir"],
        r=texts.texts,
        controller=config.controller,
        made=texts.day(now.date()),
        sections=[(known.get(kind, str(kind)), found) for kind, found in sections.items()],
        shown=_shown,
        stays=lambda row: _stays(row, texts),
    )


def _stays(row: Exported, texts: RightsTexts) -> str:
    if not row.reason and row.kept_until is None:
        return ""
    day = "" if row.kept_until is None else texts.day(row.kept_until)
    return ": ".join(part for part in (day, row.reason) if part)


def _shown(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)  # `str` also of a text that the hook marked as safe HTML


@lru_cache(maxsize=1)
def _template() -> Template:
    text = files("cookieguard.static").joinpath("templates", "copy.html").read_text("utf-8")
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(text)
