"""The consent log on the web: decisions written down as they are made, what anybody may read, the visitor's copy."""
