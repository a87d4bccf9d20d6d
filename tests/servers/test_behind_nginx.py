"""Behind a real nginx: the app sees an anonymous address, https counts as https, and no cache mixes visitors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness.quick import some_of
from harness.servers import LOOPBACK, spawned, wait_until

from servers.clients import Reply
from servers.nginx import Nginx, nginx_before
from servers.traces import Written, access_lines, check_nothing_found, cut, draw

CLIENTS = draw(60, seed=31)
CONTROLS = draw(60, seed=32)
ANNA, BERT = draw(2, seed=33)
INVENTED = "203.0.113.77"
NOT_KEPT = "Your browser will not keep this choice"
LIVE_TAG = '<script src="https://ads.example/tag.js">'
JSON = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}

Front = Callable[..., Nginx]


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """Start the shop in `tmp_path/shop` and nginx before it, as `front(*uvicorn's arguments, **environment)`."""
    with ExitStack() as stack:
        yield lambda *arguments, **env: started(stack, tmp_path, *arguments, **env)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Give nginx before a guarded shop to all tests that read no file of it."""
    with ExitStack() as stack:
        yield started(stack, tmp_path_factory.mktemp("shared"))


def started(stack: ExitStack, folder: Path, *arguments: str, **env: str) -> Nginx:
    """Start a shop and nginx before it."""
    directories = folder / "shop", folder / "nginx"
    for directory in directories:
        directory.mkdir()
    shop = stack.enter_context(
        spawned(
            "servers.shop:make_app",
            *("--factory", "--log-level", "debug", *arguments),
            env={"SHOP_TRUSTED": LOOPBACK, **env},
            cwd=directories[0],
            log_file=directories[0] / "server.log",
        )
    )
    nginx = stack.enter_context(nginx_before(shop.port, directories[1]))
    stack.callback(shop.stop)
    return nginx


@pytest.mark.parametrize(
    "reads_headers", some_of(["--proxy-headers", "--no-proxy-headers"], "--proxy-headers")
)
def test_behind_nginx_the_app_sees_the_network_and_nobody_writes_the_address(
    reads_headers: str, front: Front, tmp_path: Path
) -> None:
    nginx = front(reads_headers)
    for client in CLIENTS:
        state = nginx.ask("/state", client, headers={"X-Forwarded-For": INVENTED})
        page = nginx.ask("/page", client, scheme="http")

        assert json.loads(state.text)["client"] == cut(client)
        assert (page.status, nginx.ask("/boom", client).status) == (200, 500)

    assert INVENTED.encode() not in (tmp_path / "shop" / "shop.log").read_bytes()
    wait_until(lambda: len(access_lines(tmp_path / "shop")) == 3 * len(CLIENTS), "the log is written")
    check_nothing_found(Written(tmp_path / "shop"), CLIENTS, CONTROLS)
    networks = [line.partition(" ")[0] for line in access_lines(tmp_path / "shop")]
    assert networks == [cut(client) for client in CLIENTS for _ in range(3)]


def test_behind_nginx_the_unguarded_app_wrote_every_address(front: Front, tmp_path: Path) -> None:
    nginx = front(SHOP_GUARD="off")

    for client in CLIENTS:
        nginx.ask("/boom", client)  # a page would come from the cache

    assert Written(tmp_path / "shop").traces_of(CLIENTS)["text"] == len(CLIENTS)


def test_https_at_nginx_is_https_for_the_visitor(shared: Nginx) -> None:
    check_https(shared)


@pytest.mark.slow
def test_https_at_nginx_is_https_where_the_server_reads_no_headers(front: Front) -> None:
    check_https(front("--no-proxy-headers"))


def check_https(nginx: Nginx) -> None:
    """Hold pages to what the visitor's browser keeps: cookies over https, and none over http."""
    secure, plain = nginx.ask("/page", ANNA), nginx.ask("/page", ANNA, scheme="http")

    assert NOT_KEPT not in secure.text
    assert NOT_KEPT in plain.text


def test_a_client_cannot_claim_https_over_plain_http(shared: Nginx) -> None:
    page = shared.ask("/page", ANNA, scheme="http", headers={"X-Forwarded-Proto": "https"})

    assert NOT_KEPT in page.text


def test_a_shared_cache_does_not_mix_two_visitors(shared: Nginx) -> None:
    anna = {**keep(shared, "Anna"), **choose(shared, "accept")}
    bert = {**keep(shared, "Bert"), **choose(shared, "reject")}

    for _ in range(2):
        hers, his, strangers = (shared.ask("/page", ANNA, cookies=jar) for jar in (anna, bert, {}))
        assert ("Hello Anna" in hers.text, LIVE_TAG in hers.text) == (True, True)
        assert ("Hello Bert" in his.text, LIVE_TAG in his.text) == (True, False)
        assert ("Hello nobody" in strangers.text, LIVE_TAG in strangers.text) == (True, False)
        for page in (hers, his, strangers):
            check_private(page)
        facts = [shared.ask("/state", ANNA, cookies=jar) for jar in (anna, bert)]
        assert [json.loads(reply.text)["name"] for reply in facts] == ["Anna", "Bert"]
        for reply in facts:
            check_private(reply)


def test_a_shared_cache_mixes_the_visitors_of_the_unguarded_shop(front: Front) -> None:
    nginx = front(SHOP_GUARD="off")

    nginx.ask("/page", ANNA, cookies={"plain": "Anna"})
    page = nginx.ask("/page", BERT, cookies={"plain": "Bert"})

    assert page.headers["x-cache"] == "HIT"
    assert "Hello Anna" in page.text


def test_a_shared_cache_still_keeps_pictures(shared: Nginx) -> None:
    replies = [shared.ask("/picture", client) for client in (ANNA, BERT)]

    assert [reply.headers["x-cache"] for reply in replies] == ["MISS", "HIT"]
    assert replies[1].headers["cache-control"] == "public, max-age=60"
    assert "set-cookie" not in replies[1].headers


def keep(nginx: Nginx, name: str) -> dict[str, str]:
    """Return the cookies of a session that knows a name."""
    return nginx.ask(f"/keep?name={name}", ANNA, method="POST").cookies


def choose(nginx: Nginx, choice: str) -> dict[str, str]:
    """Return the cookie of a choice."""
    reply = nginx.ask(
        "/_cg/consent", ANNA, method="POST", headers=JSON, body=json.dumps({"choice": choice, "next": "/"})
    )
    assert reply.status == 303
    return reply.cookies


def check_private(reply: Reply) -> None:
    """Hold a response to what shared caches must know of it."""
    directives = reply.headers["cache-control"].replace(" ", "").split(",")
    assert "private" in directives
    assert "public" not in directives
    assert "cookie" in reply.headers["vary"].lower()
    assert reply.headers["x-cache"] != "HIT"
