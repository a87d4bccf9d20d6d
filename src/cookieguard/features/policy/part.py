"""The policy of a worker, with its versions."""

from __future__ import annotations

from cookieguard.features.policy.live_policy import LivePolicy, open_policy
from cookieguard.features.policy.policy_page import POLICY_PAGE, PolicyPages
from cookieguard.features.policy.values import markdown
from cookieguard.features.records.part import RecordsPart
from cookieguard.web.parts.guard import Guard
from cookieguard.web.parts.part import READ, Page, Part


class PolicyPart(Part):
    """Serve the versions, which come while the shop runs."""

    def __init__(self, guard: Guard, policy: LivePolicy) -> None:
        self.policy = guard.ports.policy = policy
        show = PolicyPages(policy).show
        self.pages = Page(POLICY_PAGE, READ, show), Page(f"{POLICY_PAGE}/", READ, show)

    def begin(self) -> None:
        self.policy.keep()


def serve(guard: Guard) -> PolicyPart | None:
    """Read folder and ledger, None if the shop serves its policy itself. Raises ConfigError."""
    policy = open_policy(guard.config, guard.state, environ=guard.environ, clock=guard.clock)
    if policy is None:
        return None
    markdown.prepare()
    records = guard.find(RecordsPart)
    if records is not None:
        policy.log = records.log.writer
    if guard.store is not None:
        guard.store.listen(policy.look)
    return PolicyPart(guard, policy)
