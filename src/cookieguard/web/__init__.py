"""The doors: all that speaks ASGI, and the only place that knows every part."""

from cookieguard.compiled import compiled_folder

if (_folder := compiled_folder(__path__[0])) is not None:
    __path__.insert(0, _folder)
