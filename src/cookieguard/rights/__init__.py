"""The hooks that a shop implements so that cookieguard can answer customers' requests about their data."""

from __future__ import annotations

from cookieguard.rights.hooks import Contact, Exported, Hooks, Kept, Retained

__all__ = ["Contact", "Exported", "Hooks", "Kept", "Retained"]
