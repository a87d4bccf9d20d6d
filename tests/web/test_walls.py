"""The policies that are cached for each origin and state of consent."""

from __future__ import annotations

from cookieguard import Config
from cookieguard.consent import Register
from cookieguard.web.http.origin import origin_of
from cookieguard.web.walls import WALLS_KEPT, Walls

NECESSARY = frozenset({"necessary"})


def test_made_up_hosts_push_out_each_other_and_not_the_shop() -> None:
    config = Config()
    walls = Walls(config, Register(purposes=config.purposes))
    shop = origin_of("https", b"shop.example")
    own = walls.around(shop, NECESSARY, base="/_cg/")
    first = walls.around(origin_of("https", b"host0.example"), NECESSARY, base="/_cg/")

    for number in range(2 * WALLS_KEPT):
        walls.around(origin_of("https", b"host%d.example" % number), NECESSARY, base="/_cg/")
        assert walls.around(shop, NECESSARY, base="/_cg/") is own

    assert walls.around(origin_of("https", b"host0.example"), NECESSARY, base="/_cg/") is not first
