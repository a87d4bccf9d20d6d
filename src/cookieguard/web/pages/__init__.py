"""Our own pages under the prefix: the choice endpoint, the page of choices, and the banner's files."""
