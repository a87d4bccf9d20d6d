"""What the peers are told to look at, made of cookieguard's own table of elements and attributes."""

from __future__ import annotations

from cookieguard.html.contact_points import ANYWHERE, LOADS, Load

# Meta refresh and base have a handler of their own
KINDS = {
    Load.URL: "url",
    Load.LINK: "url",
    Load.URLS: "urls",
    Load.SRCSET: "srcset",
    Load.VALUES: "values",
    Load.DOCUMENT: "document",
    Load.SRCDOC: "srcdoc",
    Load.CSS: "css",
}
TABLE: dict[str, dict[str, str]] = {
    tag.decode(): {name.decode(): KINDS[load] for name, load in (ANYWHERE | loads).items() if load in KINDS}
    for tag, loads in (LOADS | {b"": {}}).items()
}
# Which elements are looked at. Each selector costs all tags some time (150 of them, one for each pair of element
# and attribute, take two thirds of the speed), so they are as few as do the job.
LOADING = [
    *(f"[{name}]" for name in "src srcset imagesrcset poster lowsrc dynsrc data background ping".split()),
    *(f"[{name}]" for name in "attributionsrc manifest archive codebase classid code srcdoc".split()),
    *(f'[style*="{sign}"]' for sign in ("(", "\\\\", "&")),
    "link[href]",
    "embed[href]",
    "image[href]",
    "param[value]",
    *(f"svg [{name}]" for name in ["href", "xlink\\:href", "to", "from", "by", "values"]),
    *(f"svg [{name.decode()}]" for name, load in ANYWHERE.items() if load is Load.CSS and name != b"style"),
]
