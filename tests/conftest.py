"""What holds for all tests: how hypothesis draws, and no deadline of its own, since machines are shared."""

from __future__ import annotations

import os

from hypothesis import settings

# `make test` draws the same examples every time; `make test-all` others, and more of them.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("other", deadline=None, max_examples=300)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
