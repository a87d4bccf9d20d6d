"""Each test of this folder gets its shop from `harness.commands`."""

from harness.commands import shop

__all__ = ["shop"]
