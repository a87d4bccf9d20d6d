"""Commands for requests about personal data: the queue, and the work at it."""
