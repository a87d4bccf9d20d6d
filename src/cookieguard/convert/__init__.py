"""From another banner's configuration to vendor tables: a text in, TOML out.

Rule: pure logic. A file is read as data; nothing of it is run.
"""
