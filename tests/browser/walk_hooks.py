"""The hooks of the shop in test_walks.py: they know one guest and record each call."""

from __future__ import annotations

from cookieguard.rights.hooks import Contact, Exported, Retained

GUEST, GUEST_ADDRESS = "G-1", "guest@mail.example"
CALLED: list[str] = []


class Hooks:
    """Hooks of a shop."""

    def export(self, customer: str) -> list[Exported]:
        CALLED.append(f"export {customer}")
        return [Exported(kind="orders", values={"Number": "A-1", "Note": "<b>ring twice</b>"})]

    def erase(self, customer: str) -> list[Retained]:
        CALLED.append(f"erase {customer}")
        return []

    def deactivate(self, customer: str) -> None:
        CALLED.append(f"deactivate {customer}")

    def contact(self, customer: str) -> Contact | None:
        return Contact(GUEST_ADDRESS, "en") if customer == GUEST else None

    def find(self, address: str) -> str | None:
        return GUEST if address == GUEST_ADDRESS else None
