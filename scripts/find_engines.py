"""Install what the slow tests drive beside Chromium, where it can be: Firefox, WebKit and npm, on Debian and as root.

Nothing fails here: what is missing afterwards is printed, and told again by the tests that wanted it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Any of these programs -> Debian's package with it.
PROGRAMS = {
    ("firefox-esr", "firefox"): "firefox-esr",
    ("WebKitWebDriver",): "webkit2gtk-driver",
    ("Xvfb",): "xvfb",
    ("ip",): "iproute2",
    ("npm",): "npm",
}


def missing() -> list[str]:
    """Name the packages of the programs that are not there."""
    return [package for names, package in PROGRAMS.items() if not any(map(shutil.which, names))]


def main() -> None:
    """Install what is missing if that is allowed here, and print what is missing then."""
    packages = missing()
    if packages and "--install" in sys.argv and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing", *packages, file=sys.stderr)
        subprocess.run(["apt-get", "update", "-qq"], stdout=sys.stderr, check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", *packages], stdout=sys.stderr, check=False)
        packages = missing()
    for package in packages:
        print(
            f"missing, and tests will say so: {package} (Debian: apt-get install {package})", file=sys.stderr
        )


if __name__ == "__main__":
    main()
