"""Settings with which cookieguard refuses to start, each with one clear line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask, page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware

from cookieguard import Config, ConfigError, CookieGuard, Vendor
from cookieguard.cli.app import run
from cookieguard.config import KeySettings
from cookieguard.storage.keyring_source import beside


def test_no_configuration_at_all_is_safe_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    app = CookieGuard(page(b"<!doctype html><body><img src=//ads.example/p>"))

    assert (tmp_path / ".cookieguard").stat().st_mode & 0o777 == 0o700
    assert beside(tmp_path / ".cookieguard").stat().st_mode & 0o777 == 0o600
    answer = ask(app)
    assert b" src=//ads.example" not in answer.body
    assert "default-src" in answer.get("content-security-policy")


def test_a_toml_file_and_a_config_are_equal(tmp_path: Path) -> None:
    file = tmp_path / "cookieguard.toml"
    file.write_text(
        f'state_dir = "{tmp_path}/state"\n[[vendors]]\nname = "Ads"\npurpose = "marketing"\nhosts = ["ads.example"]\n'
        '[cookies.session]\nsame_site = "Strict"\n'
    )

    from_file = CookieGuard(page(), str(file))
    from_path = CookieGuard(page(), file)

    assert from_file._parts.config == from_path._parts.config
    assert from_file._parts.config.vendors == (
        Vendor(name="Ads", purpose="marketing", hosts=("ads.example",)),
    )
    assert from_file._parts.config.cookies.session.same_site == "Strict"
    assert from_file._parts.config.cookies.session.name == "__Host-cg_session"


@pytest.mark.parametrize(
    ("arrange", "expected"),
    [
        (lambda path: path.mkdir(0o755), r"state_dir is .*\(open to others.*chmod 700"),
        (lambda path: path.write_text(""), r"state_dir is .*\(not a directory"),
        (lambda path: path.symlink_to("/tmp"), "state_dir is .* symbolic link"),
        (lambda path: path.mkdir(0o500), r"state_dir is .*\(not writable"),
        (
            lambda path: (path.mkdir(0o700), os.chown(path, 12345, -1)),
            r"state_dir is .*\(owned by user 12345",
        ),
    ],
)
def test_a_state_directory_that_is_not_ours_alone_is_refused(
    tmp_path: Path, arrange: Callable[[Path], Any], expected: str
) -> None:
    try:
        arrange(tmp_path / "state")
    except PermissionError:
        pytest.skip("only root can give a directory away")

    with pytest.raises(ConfigError, match=expected):
        CookieGuard(page(), Config(state_dir=str(tmp_path / "state")))


@pytest.mark.parametrize(
    "keyring", ["", "k1 signing 2026-11-24T00:00:00+00:00 c2hvcnQ\n", "what is this\n", "\xff\xfe"]
)
def test_a_short_or_unreadable_key_is_refused(tmp_path: Path, keyring: str) -> None:
    state = tmp_path / "state"
    state.mkdir(0o700)
    file = state / "keyring"
    file.touch(0o600)
    file.write_bytes(keyring.encode("latin-1"))

    with pytest.raises(ConfigError, match="state_dir") as caught:
        CookieGuard(page(), Config(state_dir=str(state)))
    assert "c2hvcnQ" not in str(caught.value)


def test_a_generated_key_is_refused_where_none_may_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = str(tmp_path / "state")
    forbidding = Config(state_dir=state, keys=KeySettings(generate=False))
    with pytest.raises(ConfigError, match=r"keys\.generate is false without a keyring"):
        CookieGuard(page(), forbidding)

    CookieGuard(page(), Config(state_dir=state))  # makes one

    with pytest.raises(ConfigError, match=r"keys\.generate is false with a generated keyring"):
        CookieGuard(page(), forbidding)
    monkeypatch.setenv("COOKIEGUARD_ENV", "production")
    with pytest.raises(ConfigError, match="under COOKIEGUARD_ENV=production"):
        CookieGuard(page(), Config(state_dir=state))


def test_a_generated_keyring_that_its_owner_took_over_is_accepted(tmp_path: Path) -> None:
    state = tmp_path / "state"
    CookieGuard(page(), Config(state_dir=str(state)))
    keyring = beside(state)
    keyring.write_text("".join(keyring.read_text().splitlines(keepends=True)[1:]))

    CookieGuard(page(), Config(state_dir=str(state), keys=KeySettings(generate=False)))


def test_dev_mode_beyond_loopback_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = str(tmp_path / "state")
    with pytest.raises(ConfigError, match=r"dev is true with the origin https://shop\.example"):
        CookieGuard(page(), Config(state_dir=state, dev=True, origins=("https://shop.example",)))
    CookieGuard(page(), Config(state_dir=state, dev=True, origins=("http://shop.localhost:8000",)))
    monkeypatch.setenv("COOKIEGUARD_ENV", "production")
    with pytest.raises(ConfigError, match="dev is true under"):
        CookieGuard(page(), Config(state_dir=state, dev=True))


def test_dev_mode_sets_no_cookie_on_a_host_that_is_not_loopback(tmp_path: Path) -> None:
    app = CookieGuard(page(), Config(state_dir=str(tmp_path / "state"), dev=True))
    form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
    options: dict[str, Any] = {
        "path": "/_cg/consent",
        "method": "POST",
        "headers": form,
        "body": b"choice=reject",
    }

    near = ask(app, host="shop.localhost:8000", scheme="http", **options)
    far = ask(app, host="shop.example", **options)

    assert near.all("set-cookie")[0].startswith("cg_consent=")
    assert "Secure" not in near.all("set-cookie")[0]
    assert far.status == 403


def test_dev_mode_is_logged_at_every_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    CookieGuard(page(), Config(state_dir=str(tmp_path / "state")))
    assert "dev is true" not in caplog.text

    CookieGuard(page(), Config(state_dir=str(tmp_path / "state"), dev=True))

    assert "dev is true: cookieguard's cookies have neither Secure nor" in caplog.text


def test_a_wrong_type_of_configuration_is_refused() -> None:
    with pytest.raises(ConfigError, match="config is a dict; allowed: a Config"):
        CookieGuard(page(), {"prefix": "/x/"})  # type: ignore[arg-type]


def test_a_second_cookieguard_inside_is_refused(tmp_path: Path) -> None:
    inner = CookieGuard(page(), Config(state_dir=str(tmp_path / "a")))

    with pytest.raises(ConfigError, match="wrapped in CookieGuard twice"):
        CookieGuard(inner, Config(state_dir=str(tmp_path / "b")))


def test_starlettes_session_middleware_inside_is_refused(tmp_path: Path) -> None:
    state = Config(state_dir=str(tmp_path / "state"))
    listed = Starlette(middleware=[Middleware(SessionMiddleware, secret_key="x")])

    with pytest.raises(ConfigError, match="SessionMiddleware inside CookieGuard"):
        CookieGuard(listed, state)
    with pytest.raises(ConfigError, match="SessionMiddleware inside CookieGuard"):
        CookieGuard(SessionMiddleware(page(), "x"), state)


def test_fasthtml_which_adds_a_session_middleware_by_itself_is_told_how_not_to(tmp_path: Path) -> None:
    # As python-fasthtml 0.14 makes it, whatever a shop says to `fast_app`.
    made = type("FastHTML", (Starlette,), {"__module__": "fasthtml.core"})
    app = made(middleware=[Middleware(SessionMiddleware, secret_key="x")])

    with pytest.raises(ConfigError, match="sess_cls"):
        CookieGuard(app, Config(state_dir=str(tmp_path / "state")))


def test_a_session_middleware_that_comes_late_is_told_at_the_first_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = Starlette()
    guarded = CookieGuard(app, Config(state_dir=str(tmp_path / "state")))
    app.add_middleware(SessionMiddleware, secret_key="x")

    ask(guarded)
    ask(guarded)

    assert caplog.text.count("SessionMiddleware inside CookieGuard") == 1


def test_a_cookieguard_hidden_inside_another_steps_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inner = CookieGuard(page(b"<!doctype html><body>x"), Config(state_dir=str(tmp_path / "a")))

    async def hidden(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    outer = CookieGuard(hidden, Config(state_dir=str(tmp_path / "b")))
    answer = ask(outer)

    assert answer.body.count(b'id="cg"') == 1
    assert len(answer.all("content-security-policy")) == 1
    assert caplog.text.count("wrapped in CookieGuard twice") == 1


def test_a_conflict_added_after_wrapping_fails_the_lifespan(tmp_path: Path) -> None:
    import asyncio

    app = Starlette()
    guarded = CookieGuard(app, Config(state_dir=str(tmp_path / "state")))
    app.add_middleware(SessionMiddleware, secret_key="x")
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(guarded({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "SessionMiddleware" in sent[0]["message"]


def test_litestars_session_middleware_inside_is_refused(tmp_path: Path) -> None:
    from litestar import Litestar
    from litestar.middleware.session.client_side import CookieBackendConfig

    app = Litestar(middleware=[CookieBackendConfig(secret=b"x" * 16).middleware])

    with pytest.raises(ConfigError, match="Litestar's SessionMiddleware inside CookieGuard"):
        CookieGuard(app, Config(state_dir=str(tmp_path / "state")))


@pytest.mark.parametrize("how", ["start", "keys add"])
def test_git_never_sees_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def untracked() -> str:
        return subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=all"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    (tmp_path / "shop.py").touch()

    if how == "start":
        CookieGuard(page()).close()
        CookieGuard(page()).close()  # where it is there already
    else:
        assert run(["keys", "add"]) == 0

    assert beside(tmp_path / ".cookieguard").exists()
    assert untracked() == "?? shop.py\n"
