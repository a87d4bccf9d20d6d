"""The pure logic of statistics: truncated addresses, log lines, hits and their sums. No I/O, no clock."""
