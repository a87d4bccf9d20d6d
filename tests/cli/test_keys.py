"""`cookieguard keys`: what each command writes, shows and refuses, and its exit code."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.commands import Shop

from cookieguard.config import Config
from cookieguard.features.outbox.recipients import Recipients
from cookieguard.features.people.break_glass import BreakGlass, Look
from cookieguard.features.rights.requests import Requests, requests_opener
from cookieguard.features.rights.values.requests import Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.keyring import Key, Keyring, KeyState, to_text
from cookieguard.storage import keyring_file
from cookieguard.storage.state_directory import StateDirectory
from cookieguard.storage.store.open import store_opener

ROOT = Path(__file__).parents[2]
NOW = datetime.now(UTC).replace(microsecond=0)
OLD, LONG_AGO = NOW - timedelta(hours=1), NOW - timedelta(days=400)


class KeyShop(Shop):
    """Run commands in a folder with a keyring, without the variables that name another one."""

    @property
    def file(self) -> Path:
        return self.directory / ".cookieguard-keys" / "keyring"

    def run(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with these variables alone of ours."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("COOKIEGUARD")]:
                patch.delenv(name)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            return super().run(*arguments, stdin=stdin)

    def run_alone(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command as its owner does, as a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "cookieguard.cli", *arguments],
            cwd=self.directory,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def keep(self, *lines: str) -> None:
        """Write the keyring, as an owner would."""
        self.file.parent.mkdir(mode=0o700, exist_ok=True)
        self.file.touch(mode=0o600)
        self.file.write_text("\n".join([*lines, ""]))

    @property
    def states(self) -> dict[str, str]:
        """Return the state of each key in the file."""
        return {key.id: key.state for key in Keyring.loads(self.file.read_text()).every}


pytestmark = pytest.mark.shop(kind=KeyShop)


def line(key_id: str, state: str, created: datetime, since: datetime | None = None, mark: str = "") -> str:
    secret = mark + base64.urlsafe_b64encode(key_id.encode().ljust(32, b"-")).decode().rstrip("=")
    return " ".join([key_id, state, to_text(created), secret, *([to_text(since)] if since else [])])


def test_first_key_signs_and_the_next_ones_only_verify(shop: KeyShop) -> None:
    first, second, pair = (shop.ask("keys", "add", *more)["key"] for more in ([], [], ["--ed25519"]))

    listed = shop.ask("keys", "list")
    assert listed == {"keyring": str(shop.file), "keys": [first, second, pair]}
    assert [key["state"] for key in listed["keys"]] == ["signing", "verify", "verify"]
    assert [key["kind"] for key in listed["keys"]] == ["secret", "secret", "ed25519"]
    assert stat.S_IMODE(shop.file.stat().st_mode) == 0o600
    assert sorted(os.listdir(shop.file.parent)) == [".gitignore", "keyring"]


def test_a_process_of_its_own_exits_as_the_command_ended(shop: KeyShop) -> None:
    added, wrong = shop.run_alone("keys", "add", "--json"), shop.run_alone("keys", "burn")

    assert (added.returncode, added.stderr) == (0, "")
    assert shop.states == {json.loads(added.stdout)["key"]["id"]: "signing"}
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "No such command 'burn'" in wrong.stderr


def test_no_secret_is_shown_by_any_command(shop: KeyShop) -> None:
    shop.keep(
        line("k1", "signing", LONG_AGO),
        line("k2", "verify", OLD, OLD),
        line("r1", "verify", OLD, OLD, "ed25519:"),
    )
    secrets = [text.split()[3].removeprefix("ed25519:") for text in shop.file.read_text().splitlines()]

    runs = [
        shop.run("keys", *arguments)
        for arguments in (
            ["list"],
            ["list", "--json"],
            ["add", "--ed25519", "--json"],
            ["promote", "r1"],
            ["retire", "k2"],
        )
    ]

    shown = "".join(run.stdout + run.stderr for run in runs)
    assert [run.returncode for run in runs] == [0] * len(runs)
    assert "k2" in shown
    assert [secret for secret in secrets if secret[:8] in shown] == []


def test_list_is_a_table_that_a_pipe_does_not_fold(shop: KeyShop) -> None:
    now = datetime.now(UTC).replace(microsecond=0)  # this file may have been imported long ago
    shop.keep(
        line("k" * 16, "signing", LONG_AGO), line("k2", "verify", OLD, OLD), line("k3", "verify", now, now)
    )

    rows = [row.split() for row in shop.run("keys", "list").stdout.splitlines() if row.strip()]

    assert rows[0] == ["keyring:", str(shop.file)]
    assert rows[1] == ["id", "kind", "state", "created", "next"]
    assert rows[3:] == [
        ["k" * 16, "secret", "signing", to_text(LONG_AGO)],
        ["k2", "secret", "verify", to_text(OLD), "promote", "or", "retire"],
        ["k3", "secret", "verify", to_text(now), "promote", "from", to_text(now + timedelta(minutes=10))],
    ]


def test_promoted_key_signs_and_the_lines_of_the_others_stay_as_they_were(shop: KeyShop) -> None:
    kept = [
        "# ours",
        "",
        f"  {line('k0', 'verify', LONG_AGO)}=",
        line("r1", "signing", OLD, None, "ed25519:"),
    ]
    shop.keep(*kept, line("k1", "signing", LONG_AGO), line("k2", "verify", OLD, OLD))

    shop.ask("keys", "promote", "k2")

    *before, k1, k2 = shop.file.read_text().splitlines()
    assert before == kept
    assert k1.startswith(line("k1", "verify", LONG_AGO) + " ")
    assert k2.startswith(line("k2", "signing", OLD) + " ")
    assert stat.S_IMODE(shop.file.stat().st_mode) == 0o600


def test_new_key_is_not_promoted_within_ten_minutes_unless_the_owner_insists(shop: KeyShop) -> None:
    young = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=8)
    shop.keep(line("k1", "signing", LONG_AGO), line("k2", "verify", young, young))

    told = shop.refuse("keys", "promote", "k2", code=4)

    assert f"promote it from {to_text(young + timedelta(minutes=10))} on, or now with --force" in told
    assert shop.states == {"k1": "signing", "k2": "verify"}
    assert shop.ask("keys", "promote", "k2", "--force")["key"]["state"] == "signing"
    assert shop.states == {"k1": "verify", "k2": "signing"}


def test_stolen_key_goes_in_the_step_in_which_another_signs(shop: KeyShop) -> None:
    young = datetime.now(UTC).replace(microsecond=0)
    pair = line("r1", "signing", LONG_AGO, mark="ed25519:")
    shop.keep(line("k1", "signing", LONG_AGO), line("k2", "verify", young, young), pair)

    done = shop.ask("keys", "promote", "k2", "--instead")

    assert done["key"]["state"] == "signing"
    assert shop.states == {"k2": "signing", "r1": "signing"}


def test_key_is_retired_once_nothing_it_signed_counts(shop: KeyShop) -> None:
    shop.keep(
        line("k1", "verify", LONG_AGO, NOW - timedelta(days=181)),
        line("k2", "verify", LONG_AGO, NOW - timedelta(days=179)),
        line("k3", "verify", LONG_AGO),
        line("r1", "verify", LONG_AGO, OLD, "ed25519:"),
        line("k4", "signing", OLD),
    )

    shop.ask("keys", "retire", "k1")

    told = [shop.refuse("keys", "retire", key_id, code=4) for key_id in ("k2", "k3", "r1")]
    assert f"are valid until {to_text(NOW + timedelta(days=1))}; retire it then" in told[0]
    assert "does not say when it stopped signing" in told[1]
    assert "without it, what it signed can no longer be verified" in told[2]
    assert all(one.endswith("with --force") for one in told)
    shop.ask("keys", "retire", "k2", "--force")
    assert list(shop.states) == ["k3", "r1", "k4"]


@pytest.mark.parametrize("is_stolen", [False, True])
def test_requests_about_personal_data_open_once_their_key_is_retired(shop: KeyShop, is_stolen: bool) -> None:
    config, state = Config(), StateDirectory(shop.directory / ".cookieguard")
    asked = Request(
        id="r",
        kind=RequestKind.ERASE,
        law=Law.GDPR,
        received=OLD,
        via=Via.LOGIN,
        customer="10001",
        steps=("shop",),
    )

    def queue() -> Requests:
        return requests_opener(config, Keyring.loads(shop.file.read_text()), state, environ={})()

    shop.keep(line("k1", "signing", LONG_AGO))
    with closing(queue()) as before:
        before.add(asked, has_work=True)
    if is_stolen:
        shop.keep(line("k1", "signing", LONG_AGO), line("k2", "verify", OLD))
        shop.ask("keys", "promote", "k2", "--instead")
    else:
        shop.keep(line("k1", "verify", LONG_AGO, NOW - timedelta(days=181)), line("k2", "signing", OLD))
        shop.ask("keys", "retire", "k1")

    with closing(queue()) as after:
        assert after.of_customer("10001") == [asked]


def test_customer_whom_nobody_told_of_a_look_is_known_once_the_key_is_retired(shop: KeyShop) -> None:
    config, state = Config(), StateDirectory(shop.directory / ".cookieguard")
    look = Look(kind="break-glass", ground="legal", event="e", reason="r", scope="account", by="a", approved="b",
                at=OLD)  # fmt: skip

    @contextmanager
    def glass() -> Iterator[BreakGlass]:
        with closing(store_opener(config, state.path, environ={})()) as store:
            yield BreakGlass(store, Recipients(Keyring.loads(shop.file.read_text())), None)

    shop.keep(line("k1", "signing", LONG_AGO))
    with glass() as before:
        id_ = before.add(look, "10001")
    shop.keep(line("k1", "verify", LONG_AGO, NOW - timedelta(days=181)), line("k2", "signing", OLD))

    shop.ask("keys", "retire", "k1")

    with glass() as after:
        assert after.customer(id_) == "10001"


def test_signing_key_is_never_retired(shop: KeyShop) -> None:
    shop.keep(line("k1", "signing", LONG_AGO), line("r1", "signing", OLD, None, "ed25519:"))

    for key_id in ("k1", "r1"):
        assert "is the signing key: promote another first" in shop.refuse(
            "keys", "retire", key_id, "--force", code=4
        )
    assert shop.states == {"k1": "signing", "r1": "signing"}


WRONG = [
    (["keys", "promote", "nope"], 4, "there is no key 'nope' in the keyring, only k1"),
    (["keys", "promote", "k1"], 4, "key k1 is already the signing key; nothing to do"),
    (["keys", "retire"], 2, "see --help"),
    (["keys", "burn"], 2, "No such command 'burn'; see --help"),
    (["keys", "list", "--loud"], 2, "No such option: --loud; see --help"),
    (
        ["keys", "list", "--config", "none.toml"],
        3,
        "config file none.toml is unreadable (No such file or directory)",
    ),
    (
        ["keys", "list", "--keyring", "none"],
        3,
        "none (no such file); allowed: a keyring, which `cookieguard keys add`",
    ),
    (["keys", "promote", "k1", "--keyring", "none"], 3, "allowed: a keyring, which `cookieguard keys add`"),
    (
        ["keys", "add", "--ed25519", "--keyring", "none"],
        3,
        "allowed: one with a secret: cookieguard keys add",
    ),
    (["keys", "add", "--keyring", "no/such"], 5, "cannot be written (No such file or directory)"),
    (["keys", "list", "--keyring", "open"], 3, "mode 0600: chmod 600"),
    (["keys", "add", "--keyring", "other"], 3, "--keyring is unusable: line 1 has 2 fields"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), WRONG, ids=[told for _, _, told in WRONG])
def test_mistake_is_one_line_with_its_mend(shop: KeyShop, arguments: list[str], code: int, told: str) -> None:
    shop.keep(line("k1", "signing", LONG_AGO))
    (shop.directory / "open").write_text("")
    (shop.directory / "open").chmod(0o644)
    (shop.directory / "other").touch(mode=0o600)
    (shop.directory / "other").write_text("not keys")

    assert told in shop.refuse(*arguments, code=code)
    assert shop.states == {"k1": "signing"}
    assert not (shop.directory / "none").exists()


def test_error_is_json_where_json_was_asked(shop: KeyShop) -> None:
    done = shop.run("keys", "list", "--json")

    assert (done.returncode, done.stdout) == (3, "")
    error = json.loads(done.stderr)
    assert error["exit_code"] == 3
    assert error["error"].startswith(f"state_dir is {shop.file} (no such file)")
    assert not shop.file.parent.exists()


def test_configuration_says_where_the_keyring_is(shop: KeyShop) -> None:
    (shop.directory / "cookieguard.toml").write_text('[keys]\nfile = "mine"\n')
    (shop.directory / "other.toml").write_text('state_dir = "state"\n')

    places = [
        shop.ask("keys", "add", *more)["keyring"]
        for more in ([], ["--config", "other.toml"], ["--keyring", "k"])
    ]

    assert places == [str(shop.directory / name) for name in ("mine", "state-keys/keyring", "k")]
    assert all(Path(place).exists() for place in places)


def test_keyring_in_the_environment_is_listed_and_changing_it_tells_what_to_set(shop: KeyShop) -> None:
    env = {"COOKIEGUARD_KEYS": line("k1", "signing", LONG_AGO)}

    listed = shop.run("keys", "list", "--json", env=env)
    told = [
        shop.refuse("keys", *what, code=5, env=env) for what in (["add"], ["promote", "k1"], ["retire", "k1"])
    ]

    assert [key["id"] for key in json.loads(listed.stdout)["keys"]] == ["k1"]
    assert all("then set COOKIEGUARD_KEYS to that file's text" in one for one in told)
    assert not shop.file.parent.exists()


def test_two_writers_lose_nothing(shop: KeyShop) -> None:
    shop.keep(line("k1", "signing", LONG_AGO))

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: shop.run_alone("keys", "add", "--json"), range(5)))
    added = [json.loads(one.stdout)["key"]["id"] for one in done]

    assert set(shop.states) == {"k1", *added}
    assert len(set(added)) == 5


def test_held_lock_is_told_after_a_while(shop: KeyShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_file, "LOCK_WITHIN", timedelta(seconds=0.3))
    shop.keep(line("k1", "signing", LONG_AGO))
    held = os.open(shop.file.parent, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "is locked by another command; try again" in shop.refuse("keys", "add", code=5)
    finally:
        os.close(held)
    assert shop.ask("keys", "add")["done"] == "added"


def test_link_to_a_keyring_stays_a_link(shop: KeyShop) -> None:
    shop.keep(line("k1", "signing", LONG_AGO))
    (shop.directory / "link").symlink_to(shop.file)

    shop.ask("keys", "add", "--keyring", "link")

    assert (shop.directory / "link").is_symlink()
    assert len(shop.states) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_keyring_of_another_user_stays_theirs(shop: KeyShop) -> None:
    file = shop.directory / "theirs"
    file.touch(mode=0o600)
    file.write_text(line("k1", "signing", LONG_AGO))
    os.chown(file, 12345, 12346)

    shop.ask("keys", "add", "--keyring", "theirs")

    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 12346, 0o600)
    assert len(Keyring.loads(file.read_text()).every) == 2


def test_script_of_the_package_is_this_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert project["project"]["scripts"] == {"cookieguard": "cookieguard.cli:main"}
    assert "cookieguard.cli" in project["tool"]["setuptools"]["packages"]
    needed = {one.partition(">")[0] for one in project["project"]["dependencies"]}
    assert {"rich", "typer"} <= needed  # `pip install cookieguard` brings a command that works


def test_key_made_by_the_first_start_keeps_its_mark(shop: KeyShop) -> None:
    made = Key(id="k1", secret=b"x" * 32, state=KeyState.SIGNING, created=LONG_AGO)
    mark = "# made by cookieguard at its first start"
    shop.keep(mark, *Keyring([made]).dumps().splitlines())
    before = shop.file.read_text()

    shop.ask("keys", "add")

    assert shop.file.read_text().startswith(before)
