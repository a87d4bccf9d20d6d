"""The capabilities of the guard: services first, then those that use them."""

from __future__ import annotations

from cookieguard.features.feature import Feature

FEATURES = (
    Feature(
        "records", ("jobs", "personal", "checks"), commands={"log": "proof.log", "receipt": "proof.receipt"}
    ),
    Feature("outbox", ("personal",), is_on=lambda config: bool(config.mail.lists or config.mail.orders)),
    Feature(
        "people", ("jobs", "checks", "due"), commands={"staff": "people.staff", "access": "people.access"}
    ),
    Feature(
        "statistics",
        ("jobs", "checks", "due"),
        commands={"report": "report", "note": "people.note", "export": "export"},
        is_on=lambda config: config.stats.enabled,
    ),
    Feature(
        "policy",
        ("jobs", "due"),
        commands={"policy": "policy"},
        is_on=lambda config: bool(config.policy.folder),
    ),
    Feature(
        "rights",
        ("checks", "due"),
        commands={"work": "rights.work", "processing": "rights.work", "requests": "rights.queue"},
    ),
    Feature(
        "vendors", ("due",), commands={"vendors": "vendors"}, is_on=lambda config: config.console.applies
    ),
    Feature("vault", ("jobs", "checks", "due"), commands={"reveal": "people.vault", "vault": "people.vault"}),
)
