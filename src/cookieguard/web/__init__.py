"""The ASGI middleware: passes requests to the app and responses back, and serves the pages of the core."""
