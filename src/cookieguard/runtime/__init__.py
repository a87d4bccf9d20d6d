"""Threads and the clock that they wait by: the ground under all that runs beside the requests."""
