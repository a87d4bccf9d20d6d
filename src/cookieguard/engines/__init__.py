"""Engines: all I/O below ASGI: files, stores, statistics, the consent log, mail, and the checks of the doctor."""
