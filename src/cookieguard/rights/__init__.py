"""What a person may ask of the shop about their data, and the clock that the law sets for the answer."""

from __future__ import annotations

from cookieguard.rights.hooks import Contact, Exported, Hooks, Kept, Retained

__all__ = ["Contact", "Exported", "Hooks", "Kept", "Retained"]
