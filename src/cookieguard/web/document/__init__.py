"""Rewrite an HTML document's headers and body, and keep pages that are the same for many visitors."""
