"""How Sphinx builds the site from the Markdown in this folder: `make docs`."""

from __future__ import annotations

project = "cookieguard"
author = "The cookieguard founders"
copyright = "2026, The cookieguard founders"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # headings can be linked to, as on the hosts that show Markdown
html_theme = "furo"
html_title = "cookieguard"
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"footer_icons": []}
suppress_warnings = ["misc.highlighting_failure"]  # SQL for Grafana: $__timeFilter is its own
