"""The texts of published policy versions, which must not change; the consent log's store keeps a copy of each.

A record of the log, `policy:text`, lists the texts of each published version by digest. The first record of a version
and language counts, so that an edited file cannot replace the published text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cookieguard.config import Config
from cookieguard.features.policy.values.ledger import Ledger, files_of
from cookieguard.features.policy.values.versions import Version
from cookieguard.features.records.log_reader import newest_rows, opened
from cookieguard.features.records.store.log_store import EVERY
from cookieguard.features.records.store.open import stores_if_made
from cookieguard.features.records.store.protocol import LogDown
from cookieguard.features.records.values.records import SHOP, Record, named, read_document
from cookieguard.features.records.values.sealing import SealBroken
from cookieguard.features.records.values.shown import POLICY_TEXTS
from cookieguard.features.records.writer import LogWriter

KIND, TOPIC = "policy", "text"


class KeptTexts(NamedTuple):
    """Hold the texts that must not change: digests by version and language, and the log's copies by digest."""

    digests: Mapping[str, Mapping[str, str]]
    files: Mapping[str, bytes]


def read_kept(
    config: Config, state_dir: Path, ledger: Ledger | None, *, environ: Mapping[str, str]
) -> KeptTexts:
    """Read the texts that must not change; raises LogDown. The log overrides the ledger, which is not signed."""
    digests = {name: dict(files) for name, files in files_of(ledger or {}).items()}
    with stores_if_made(config, state_dir, environ=environ) as stores:
        if stores is None:
            return KeptTexts(digests, {})
        try:
            records = [opened(stores, row) for row in newest_rows(stores, SHOP, KIND, EVERY)]
        except SealBroken as error:
            raise LogDown(f"a record of the policy's texts does not open: {error}") from error
        ours = [row.record for row in records if row.kind == f"{KIND}:{TOPIC}" and row.record]
        for document in map(read_document, ours):  # newest first, so the oldest record overrides the others
            digests.setdefault(document["cg:version"], {}).update(document[POLICY_TEXTS])
        files = {key: stores.log.text(key) or b"" for texts in digests.values() for key in texts.values()}
    return KeptTexts(digests, {key: file for key, file in files.items() if sha256(file).hexdigest() == key})


def keep_texts(log: LogWriter, version: Version, now: datetime) -> None:
    """Write a version's texts and a record that lists them into the log, which ignores the same record later on."""
    digests = version.files
    facts = {"cg:version": version.name, "cg:effective": str(version.effective), POLICY_TEXTS: digests}
    id_ = named(f"{KIND}:{TOPIC}", f"{version.name} {version.digest}")
    record = Record(kind=KIND, topic=TOPIC, subject=SHOP, time=now, facts=facts, id=id_)
    log.append(record, texts=tuple(version.sources.values()))
