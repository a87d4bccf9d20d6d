"""Records for the consent log of a shop in the working directory, and the job that maintains it each hour."""

from __future__ import annotations

from datetime import datetime

from cookieguard.config import Config, load_config
from cookieguard.config.proof import ProofSettings
from cookieguard.engines.retention import Run
from cookieguard.features.records.store.open import open_log
from cookieguard.features.records.values.records import Record, customer
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory
from harness.retention import retention_of


def write_records(count: int, now: datetime, *, name: str = "") -> None:
    """Write one record for each of so many customers, and close the log of this name."""
    config = Config(proof=ProofSettings(name=name))
    state = StateDirectory(config.state_dir)
    writer = open_log(config, state, load_keyring(state, config.keys, environ={}, now=now), environ={})
    assert writer is not None
    for number in range(count):
        writer.append(Record(kind="consent", subject=customer(str(number)), time=now, facts={})).result(30)
    writer.close()


def hourly_job(now: datetime) -> Run:
    """Run the hourly job with the settings of `cookieguard.toml`."""
    config = load_config("cookieguard.toml")
    done = retention_of(config, lambda: now).look()
    assert done is not None
    return done
