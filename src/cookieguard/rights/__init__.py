"""The hooks that a shop implements so that its customers' requests about their data can be answered."""

from __future__ import annotations

from cookieguard.rights.hooks import Contact, Exported, Hooks, Kept, Retained

__all__ = ["Contact", "Exported", "Hooks", "Kept", "Retained"]
