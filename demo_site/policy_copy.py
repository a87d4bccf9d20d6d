"""The policy that the demo serves: a copy of its texts, dated so that the newest version can be announced today."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.features.policy.ledger import read_ledger
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_file, store_opener

POLICY = sorted((Path(__file__).parent / "policy").iterdir())
# Days from the start of the demo until its draft takes effect: twice the notice, so the announcement can wait.
DRAFT_DAYS = 30
DAY = re.compile(r"^(announced|effective): .*$", re.MULTILINE)


class Draft(NamedTuple):
    """Hold the newest version of the policy, and whether it is announced."""

    version: str
    is_announced: bool


def keep_policy(config: Config, *, today: date) -> Draft:
    """Copy the texts to `policy.folder`, and return the newest version.

    A draft is dated so that today is its day of announcement. An announced version is not changed, because a shop does
    not start if the text of an announced version has changed.
    """
    folder = Path(config.policy.folder)
    if not folder.exists():
        shutil.copytree(POLICY[0].parent, folder)
    draft = max(folder.iterdir())
    if _is_announced(config, draft.name):
        return Draft(draft.name, is_announced=True)
    effective = date.fromisoformat(draft.name)
    if effective - today < timedelta(days=config.policy.notice_days):
        effective = today + timedelta(days=DRAFT_DAYS)
    days = {"announced": today, "effective": effective}
    for text in draft.iterdir():
        text.write_text(
            DAY.sub(lambda found: f"{found[1]}: {days[found[1]]}", text.read_text("utf-8")), "utf-8"
        )
    return Draft(draft.rename(folder / str(effective)).name, is_announced=False)


def _is_announced(config: Config, version: str) -> bool:
    state = StateDirectory(config.state_dir)
    file = store_file(config.store, state.path, environ=os.environ)
    if file is not None and not file.exists():  # the shop makes its keyring first
        return False
    with closing(store_opener(config, state.path, environ=os.environ)()) as store:
        return version in read_ledger(store)
