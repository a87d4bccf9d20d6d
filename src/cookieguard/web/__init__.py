"""All that speaks ASGI, and the only place that knows every part."""
