"""The hosts that Chromium looked up and connected to, read from its net-log."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

HOST = re.compile(r"^(?:[a-z]+://)?\[?([^\]/]*?)\]?(?::\d+)?/?$")


def read(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Return (look-ups, connections): how often each host or address occurs."""
    lines = path.read_text(errors="replace").splitlines()
    types = _event_types(lines)
    lookups: Counter[str] = Counter()
    connections: Counter[str] = Counter()
    for line in lines:
        event = _event(line)
        if event is None or event.get("phase") == types["end"]:
            continue
        params = event.get("params", {})
        if event["type"] == types["HOST_RESOLVER_MANAGER_REQUEST"] and "host" in params:
            lookups[_host(params["host"])] += 1
        if event["type"] == types["TCP_CONNECT_ATTEMPT"] and "address" in params:
            connections[_host(params["address"])] += 1
    return lookups, connections


def _event_types(lines: list[str]) -> dict[str, int]:
    head = next(line for line in lines if '"logEventTypes"' in line)
    head = head[head.index("{") :].rstrip().rstrip(",")
    constants: dict[str, Any] = json.loads(head if head.count("{") == head.count("}") else head + "}")
    constants = constants.get("constants", constants)
    return constants["logEventTypes"] | {"end": constants["logEventPhase"]["PHASE_END"]}


def _event(line: str) -> dict[str, Any] | None:
    line = line.strip().rstrip(",")
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None  # the last line of a browser that was killed
    return event if isinstance(event, dict) and "type" in event else None


def _host(text: str) -> str:
    match = HOST.match(text)
    return match[1] if match else text
