"""The core's own pages under the prefix: they take choices and reports, show choices, and serve the banner's files."""
