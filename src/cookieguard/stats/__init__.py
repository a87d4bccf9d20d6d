"""Statistics: addresses cut short, one request as a log line and as a hit, sums. Pure logic: no I/O, no clock."""
