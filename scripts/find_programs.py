"""Install the programs that tests drive beside Chromium, where that can be done: on Debian and as root.

Without `--slow` those of `make test`, with it those of the slow tests as well. Nothing fails here: what is missing
afterwards is printed, and told again by the tests that wanted it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Any of these programs -> Debian's package with it.
PROGRAMS = {
    ("goaccess",): "goaccess",
    ("nginx",): "nginx-light",
    ("varnishd",): "varnish",
}
SLOW_PROGRAMS = {
    ("firefox-esr", "firefox"): "firefox-esr",
    ("WebKitWebDriver",): "webkit2gtk-driver",
    ("Xvfb",): "xvfb",
    ("ip",): "iproute2",
    ("npm",): "npm",
    ("caddy",): "caddy",
    ("pgbouncer",): "pgbouncer",
}
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"  # where servers are, not on everybody's PATH


def missing(programs: dict[tuple[str, ...], str]) -> list[str]:
    """Name the packages of the programs that are not there."""
    return [
        package
        for names, package in programs.items()
        if not any(shutil.which(name, path=PATH) for name in names)
    ]


def main() -> None:
    """Install what is missing if that is allowed here, and print what is missing then."""
    programs = PROGRAMS | (SLOW_PROGRAMS if "--slow" in sys.argv else {})
    packages = missing(programs)
    if packages and "--install" in sys.argv and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing", *packages, file=sys.stderr)
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", *packages]):
            subprocess.run(["apt-get", *command], stdout=sys.stderr, env=environ, check=False)
        packages = missing(programs)
    for package in packages:
        print(
            f"missing, and tests will say so: {package} (Debian: apt-get install {package})", file=sys.stderr
        )


if __name__ == "__main__":
    main()
