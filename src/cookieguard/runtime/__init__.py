"""The threads that run outside requests, and the clock by which they wait."""
