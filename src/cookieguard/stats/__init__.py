"""Statistics: addresses cut short, one request as one log line. Pure logic: no I/O, no clock of its own."""
