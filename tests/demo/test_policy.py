"""The commands that the demo prints take its policy from the draft to the notice."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cookieguard.config import Config, load_config
from cookieguard.features.policy.announcing import announce
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.records.acts import Acts
from cookieguard.storage.keyring_source import load_keyring
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener
from demo_site.__main__ import commands_of
from demo_site.policy_copy import DRAFT_DAYS, POLICY, Draft, keep_policy
from demo_site.settings import guard_config

ROOT = Path(__file__).parents[2]
PAGES = ("overview", "stats", "requests", "policies", "record", "people", "health")
SOON = 60  # seconds: a worker looks for announcements every few, and the machine may be busy


@contextmanager
def started(folder: Path, *options: str) -> Iterator[str]:
    """Start the guarded demo on free ports; give all that it printed."""
    ports = [f"--{name}-port=0" for name in ("shop", "ads", "unguarded", "mail")]
    files = ["--state-dir", str(folder / "cookieguard"), "--database", str(folder / "shop.sqlite3")]
    command = [sys.executable, "-m", "demo_site", *ports, *files, *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C" in line:
                break
        yield printed
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def run(line: str, folder: Path) -> str:
    environ = os.environ | {"DEMO_DATABASE": str(folder / "shop.sqlite3")}
    done = subprocess.run(
        shlex.split(line), cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def page(address: str, path: str) -> str:
    """Open a page; the demo prints its addresses shortly before it answers there."""
    parts = urlsplit(address)
    headers = {"host": parts.netloc, "sec-fetch-dest": "document", "accept": "text/html"}
    ends = time.monotonic() + SOON
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{parts.port}{path}", headers=headers, timeout=60).text
        except httpx.ConnectError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)


def test_a_version_is_announced_mailed_and_told_on_every_page_by_what_the_demo_prints(tmp_path: Path) -> None:
    with started(tmp_path) as printed:
        shop = re.findall(r"http://shop\S+", printed)[0]
        status, announced, sent = re.findall(r"^ +(\S*cookieguard policy .*)$", printed, re.M)
        version, file = shlex.split(announced)[3::2]
        ads = re.findall(r"http://ads\S*?:\d+", printed)[0]
        before = page(shop, "/")

        assert "draft" in run(status, tmp_path)
        assert f"announced {version}; notices: 2 new" in run(announced, tmp_path)
        assert f"{version}: 2 of 2 sent" in run(sent, tmp_path)
        assert re.search(rf"{version} .*announced .*2 of 2 sent", run(status, tmp_path))
        mails = [
            message_from_bytes(one.read_bytes(), policy=policy.default)
            for one in (tmp_path / "mail").glob("*.eml")
        ]
        ends = time.monotonic() + SOON
        while f"/_cg/policy/{version}" not in (after := page(shop, "/")) and time.monotonic() < ends:
            time.sleep(0.5)
        shown = page(shop, f"/_cg/policy/{version}/changes")

    config = load_config(file)
    served = guard_config(
        ads_origin=ads,
        state_dir=tmp_path / "cookieguard",
        origins=(shop,),
        policy=tmp_path / "policy",
        relay=config.mail.url,
    )
    assert config == served
    assert f"/_cg/policy/{version}" not in before
    assert f"/_cg/policy/{version}" in after
    assert "six years instead of ten" in shown
    assert sorted(one["to"] for one in mails) == ["jonas@example.org", "mara@example.org"]
    assert all(f"{shop}/_cg/policy/" in one.get_content() for one in mails)


def sign_in(link: str) -> httpx.Client:
    """Click the button of a sign-in link; a used link is there again within seconds."""
    parts = urlsplit(link)
    headers = {"host": parts.netloc, "sec-fetch-site": "same-origin", "accept": "text/html"}
    client = httpx.Client(base_url=f"http://127.0.0.1:{parts.port}", headers=headers, timeout=60)
    fields = {"link": parts.query.partition("=")[2]}
    ends = time.monotonic() + SOON
    while (answer := client.post(parts.path, data=fields)).status_code != 303:
        assert time.monotonic() < ends
        time.sleep(0.5)
    client.headers["cookie"] = answer.headers["set-cookie"].partition(";")[0]
    return client


def test_a_demo_with_visitors_tells_a_story_and_has_a_link_for_each_role(tmp_path: Path) -> None:
    with started(tmp_path, "--fill=5") as printed:
        commands = re.findall(r"^ +(\S*cookieguard .*)$", printed, re.M)
        doctor, work = commands[:2]
        shop = re.findall(r"http://shop\S+", printed)[0]
        links = dict(re.findall(r"^ +(\w+) +(http\S+/_cg/staff\?link=\S+)$", printed, re.M))
        page(shop, "/")
        opened = {}
        for role, link in links.items():
            with closing(sign_in(link)) as browser:
                shown = {name: browser.get(f"/_cg/{name}") for name in PAGES}
            opened[role] = {name for name, answer in shown.items() if answer.status_code == 200}
            if role == "owner":
                texts = {name: answer.text for name, answer in shown.items()}
        sign_in(links["owner"]).close()

        found = run(doctor, tmp_path)
        worked = run(work, tmp_path)

    assert opened == {
        "owner": set(PAGES),
        "officer": set(PAGES),
        "support": {"overview", "requests"},
        "analyst": {"overview", "stats"},
    }
    assert "1 day left" in texts["requests"]
    assert "Its contract ends on" in texts["health"]
    assert "Glimmer Ads has loaded pixel.localhost" in texts["health"]
    assert "is announced" in texts["policies"]
    assert "Demo support" in texts["people"]
    assert f"export DEMO_DATABASE={tmp_path}/shop.sqlite3" in printed
    assert "WRONG" not in found
    assert "4 requests processed" in worked
    assert [shlex.split(one)[1:3] for one in commands[2:]] == [["policy", "status"], ["policy", "send"]]


def test_an_announced_version_is_not_offered_again(tmp_path: Path) -> None:
    config = copied(tmp_path)
    now = datetime.now(UTC)
    announce_now(config, keep_policy(config, today=now.date()).version, now)

    draft = keep_policy(config, today=now.date() + timedelta(days=1))

    assert draft.is_announced
    assert "policy announce" not in printed_commands(config, draft)
    assert "policy send --config" in printed_commands(config, draft)


@pytest.mark.parametrize("days", [0, 5, 400, 2000])
def test_the_draft_can_be_announced_on_whatever_day_the_demo_begins(tmp_path: Path, days: int) -> None:
    config = copied(tmp_path)
    now = datetime(2026, 12, 1, 9, tzinfo=UTC) + timedelta(days=days)

    name = keep_policy(config, today=now.date()).version

    announce_now(config, name, now)
    assert [one.name for one in read_versions(config)][-1] == name


def test_a_draft_that_waited_too_long_gets_another_day_and_an_announced_one_stays(tmp_path: Path) -> None:
    config = copied(tmp_path)
    first = date(2026, 12, 10)
    late = keep_policy(config, today=first).version
    again = keep_policy(config, today=first + timedelta(days=DRAFT_DAYS)).version
    announced_at = datetime(first.year + 1, 3, 1, tzinfo=UTC)
    name = keep_policy(config, today=announced_at.date()).version
    announce_now(config, name, announced_at)
    kept = keep_policy(config, today=announced_at.date() + timedelta(days=DRAFT_DAYS)).version

    assert late < again < name == kept
    assert [one.name for one in read_versions(config)] == [POLICY[0].name, name]


def copied(tmp_path: Path) -> Config:
    return guard_config(
        ads_origin="http://ads.localhost:8001",
        state_dir=tmp_path / "state",
        origins=("http://shop.localhost:8000",),
        policy=tmp_path / "policy",
    )


def printed_commands(config: Config, draft: Draft) -> str:
    return commands_of(config, draft, ads_port=8001)


def announce_now(config: Config, name: str, now: datetime) -> None:
    versions = read_versions(config)
    version = next(one for one in versions if one.name == name)
    state = StateDirectory(config.state_dir)
    keyring = load_keyring(state, config.keys, environ={}, now=now)  # as the shop makes it, before its store
    with closing(store_opener(config, state.path, environ={}, keyring=keyring)()) as store:
        announce(store, versions, version, now=now, notice_days=14, record=Acts(None))
