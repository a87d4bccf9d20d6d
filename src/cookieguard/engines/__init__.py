"""Input and output below ASGI: the checks of the doctor, the hourly retention job, and the core's own files."""
