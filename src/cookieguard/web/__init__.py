"""The path of a request, as ASGI: to the app and back, and the pages of the core."""
