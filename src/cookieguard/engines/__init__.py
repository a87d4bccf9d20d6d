"""I/O of the core below ASGI: the loops of the doctor and of the hourly job, and the files of the access log."""
