"""What the doctor says of the vault."""

from __future__ import annotations

from cookieguard.engines.doctor_keys import examine_vault as checks_of

__all__ = ["checks_of"]
