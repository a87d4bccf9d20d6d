"""Convert the configuration of another consent banner to a list of vendors in TOML.

Rule: pure logic. A file is parsed as data, and none of its code is run.
"""
