"""Random hostile pages, from a grammar of markup that parsers read differently, and mutations of them."""

from __future__ import annotations

import html
import random
from collections.abc import Callable

Make = Callable[["Author"], str]

HELD = r"""//ads.example/{n} https://ads.example/{n} HTTPS://ADS.Example/{n} \\ads.example/{n} /\ads.example/{n}
https:\\ads.example/{n} https:ads.example/{n} http:ads.example/{n} //user@ads.example/{n} //ads.example./{n}
//ads.example:8443/{n} //%61ds.example/{n} ///ads.example/{n} //shop.example.ads.example/{n} wss://ads.example/{n}
//shop.example@ads.example/{n} //ａds.example/{n} //192.0.2.7/{n} //[2001:db8::7]/{n} https:/\ads.example""".split()
HELD += ["/\t/ads.example/{n}", "\x01 //ads.example/{n}", "ht\ntps://ads.example/{n}", " //ads.example/{n} "]
OWN = "/own/{n} own/{n} //shop.example/own/{n} https://shop.example/own/{n} ./own/{n}?q=//ads.example".split()
URL_ATTRIBUTES = {
    "img": "src srcset",
    "script": "src",
    "iframe": "src",
    "frame": "src",
    "embed": "src",
    "object": "data",
    "video": "src poster",
    "audio": "src",
    "source": "src srcset",
    "track": "src",
    "input": "src",
    "image": "href xlink:href src",
    "use": "href xlink:href",
    "feImage": "href xlink:href",
    "body": "background",
    "table": "background",
    "td": "background",
    "a": "ping attributionsrc",
    "link": "href imagesrcset",
}
CONTAINERS = """div p span b font svg math g desc title foreignObject mi mtext annotation-xml select option optgroup
template table tbody tr td caption colgroup frameset noscript noembed noframes iframe textarea xmp title style script
form button ul li h1 dl dd ruby rt body html head object video picture a nobr details summary center dialog""".split()
VOIDS = "br hr input col wbr meta link base image img area param keygen source track embed bgsound".split()
# A comment ends with its line
SCRIPTS = (
    """new Image().src='//ads.example/{n}'|fetch('//ads.example/{n}')|import('//ads.example/{n}')|own({n})|<!--|
<!--<script>|</scrip|--></script>|document.write("<img src=//ads.example/{n}>")|// //ads.example/{n}@
""".replace("\n", "")
    .replace("@", "\n")
    .split("|")
)
SHEETS = """@import"//ads.example/{n}";|@import url(//ads.example/{n});|a{{background:url("//ads.example/{n}")}}|
a{{background:url('/own/{n}')}}|/* url(//ads.example/{n}) */|<!--|-->|a{{}}|@import'\\2f\\2f ads.example/{n}';|
@font-face{{src:url( //ads.example/{n} )}}|a{{b:image-set("//ads.example/{n}" 1x)}}|</styl|\\
""".replace("\n", "").split("|")
SHARDS = [
    *"""<!-- --> --!> <!--> <!---> <!- -> <!x <?x > </ </> <> < & &lt; <![CDATA[ ]]> <!doctype> <a <img <svg/> <style/>
    <script/> <title/> </br> </p> <plaintext> </script </title </noscript </style </select> </svg> </math> </template>
    </table> </iframe> </noscript> </textarea> </title> </style> </script> <!--<script> <!--</script> <font/color> <p>
    <input> <select> <col> <frameset> <noscript> <svg> <math> <mi> <desc> <template> <style> <textarea>""".split(),
    '<a href="',
    "<a href='",
    '">',
    "'>",
    " ",
    "\n",
    "\0",
    "\f",
    '<annotation-xml encoding="text/html">',
    "<font size=1>",
    "<div shadowrootmode=open>",
    "<template shadowrootmode=open>",
    "<base href=//cdn.ads.example/>",
    "<base href=/sub/>",
    '<meta http-equiv="refresh" content="0;url=//ads.example/r">',
    '<p style="background:url(//ads.example/s)">',
    "<p style='background:url(&#34;//ads.example/s&#34;)'>",
    '<svg><style>@import"//ads.example/t"</style></svg>',
]


class Author:
    """Write pages from one source of randomness. Owns the count of elements written."""

    def __init__(self, rnd: random.Random) -> None:
        self.rnd = rnd
        self._count = 0

    def page(self) -> str:
        """Write one page."""
        rnd = self.rnd
        start = rnd.choice(["", "", "", "<!doctype html>", "<!doctype html><html><head>", "<html><frameset>"])
        body = start + "".join(self._part(0) for _ in range(rnd.randint(1, 6)))
        for _ in range(rnd.choice([0, 0, 1, 2, 4])):
            body = rnd.choice(MUTATIONS)(rnd, body)
        return body

    def _part(self, depth: int) -> str:
        return self.rnd.choices(PARTS, WEIGHTS)[0](self, depth)

    def container(self, depth: int) -> str:
        """Write an element with others in it; its end tag may be missing or wrong."""
        name = self.rnd.choice(CONTAINERS)
        inner = self._inner(name, depth)
        end = self.rnd.choices([name, self.rnd.choice(CONTAINERS), ""], [8, 1, 2])[0]
        return f"<{self._cased(name)}{self._attributes('')}{inner}" + (
            f"</{self._cased(end)}{self._end()}" if end else ""
        )

    def contact(self, depth: int) -> str:
        """Write an element that contacts a host."""
        name = self.rnd.choice(list(URL_ATTRIBUTES))
        start = f"<{self._cased(name)}{self._attributes(name)}"
        return f"{start}</{self._cased(name)}>" if name == "script" and self.rnd.random() < 0.9 else start

    def shard(self, depth: int) -> str:
        """Write a fragment that is not a whole element."""
        return self.rnd.choice(SHARDS)

    def void(self, depth: int) -> str:
        """Write an element without text."""
        return f"<{self.rnd.choice(VOIDS)}{self._attributes('')}"

    def nested(self, depth: int) -> str:
        """Write a document in an attribute."""
        if depth > 2:
            return ""
        inner = "".join(self._part(depth + 2) for _ in range(self.rnd.randint(1, 3)))
        if self.rnd.random() < 0.7:
            return f"<iframe srcdoc={self._quoted(inner)}></iframe>"
        return f"<iframe src={self._quoted('data:text/html,' + inner)}></iframe>"

    def words(self, depth: int) -> str:
        """Write text."""
        return self.rnd.choice(["x", " ", "\n", "&amp;", "a < b", "é", "\0", "//ads.example"])

    def _inner(self, name: str, depth: int) -> str:
        rnd = self.rnd
        if name in ("script", "style") and rnd.random() < 0.8:
            texts = SCRIPTS if name == "script" else SHEETS
            return "".join(rnd.choice(texts).format(n=self._next()) for _ in range(rnd.randint(1, 3)))
        return "".join(self._part(depth + 1) for _ in range(rnd.randint(0, 3))) if depth < 4 else ""

    def _attributes(self, name: str) -> str:
        rnd = self.rnd
        written = []
        for attribute in URL_ATTRIBUTES.get(name, "").split():
            if rnd.random() < 0.8:
                written += [self._attribute(attribute) for _ in range(rnd.choice([1, 1, 1, 2]))]
        if name == "link":
            written.append(
                " rel=" + rnd.choice(["stylesheet", '"x preload"', "preconnect", "dns-prefetch", "ICON"])
            )
        if rnd.random() < 0.25:
            written.append(
                rnd.choice(
                    [
                        " a",
                        ' title=">"',
                        " a=b",
                        " / ",
                        "/",
                        ' "',
                        " '",
                        " =",
                        " x='<'",
                        ' a="</noscript>"',
                        " type=text/plain",
                        " encoding=text/html",
                        " color=x",
                        ' b="-->"',
                        " \0",
                        " type=module",
                    ]
                )
            )
        rnd.shuffle(written)
        return "".join(written) + self._end()

    def _attribute(self, name: str) -> str:
        rnd = self.rnd
        reference = rnd.choice(HELD if rnd.random() < 0.7 else OWN).format(n=self._next())
        if name.endswith("srcset"):
            other = rnd.choice(OWN).format(n=self._next())
            reference = rnd.choice([f"{reference} 2x", f"{other}, {reference} 2x", f"{other} 1x,{reference}"])
        space = rnd.choice(["", "", "", " ", "\n"])
        return f"{rnd.choice([' ', ' ', ' ', '/', chr(10)])}{self._cased(name)}{space}={space}{self._quoted(reference)}"

    def _quoted(self, value: str) -> str:
        rnd = self.rnd
        quote = rnd.choice(['"', '"', "'", ""])
        if not quote and (not value or set(value) & set(" \t\n\f\r>\"'`=<")):
            quote = '"'
        written = [self._character(one, quote) for one in value]
        return quote + "".join(written) + quote

    def _character(self, one: str, quote: str) -> str:
        rnd = self.rnd
        if one in ('"', "'", "&") or (one in "/:\\ad." and rnd.random() < 0.05):
            return rnd.choice(
                [
                    f"&#{ord(one)};",
                    f"&#x{ord(one):x};",
                    {"/": "&sol;", ":": "&colon;"}.get(one, html.escape(one)),
                ]
            )
        return one

    def _end(self) -> str:
        return self.rnd.choices([">", "/>", " >", " />", "\n>"], [12, 2, 1, 1, 1])[0]

    def _cased(self, name: str) -> str:
        return self.rnd.choices([name, name.upper(), name.title()], [8, 1, 1])[0]

    def _next(self) -> int:
        self._count += 1
        return self._count


PARTS: list[Callable[[Author, int], str]] = [
    Author.container,
    Author.contact,
    Author.shard,
    Author.void,
    Author.nested,
    Author.words,
]
WEIGHTS = [5, 6, 4, 1, 0.5, 2]


def _without(rnd: random.Random, page: str) -> str:
    start, end = _slice(rnd, page, 20)
    return page[:start] + page[end:]


def _doubled(rnd: random.Random, page: str) -> str:
    start, end = _slice(rnd, page, 60)
    return page[:end] + page[start:]


def _moved(rnd: random.Random, page: str) -> str:
    start, end = _slice(rnd, page, 40)
    rest = page[:start] + page[end:]
    at = rnd.randint(0, len(rest))
    return rest[:at] + page[start:end] + rest[at:]


def _spliced(rnd: random.Random, page: str) -> str:
    at = rnd.randint(0, len(page))
    return page[:at] + rnd.choice(SHARDS) + page[at:]


def _sprinkled(rnd: random.Random, page: str) -> str:
    at = rnd.randint(0, len(page))
    return page[:at] + rnd.choice("<>/\"'=&! -\0\t\n\f\r?[]\\;é") + page[at:]


def _truncated(rnd: random.Random, page: str) -> str:
    return page[: rnd.randint(0, len(page))]


def _slice(rnd: random.Random, page: str, longest: int) -> tuple[int, int]:
    start = rnd.randint(0, len(page))
    return start, start + rnd.randint(0, longest)


MUTATIONS = [_without, _doubled, _moved, _spliced, _sprinkled, _sprinkled, _truncated]
