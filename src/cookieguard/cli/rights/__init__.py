"""Commands for customers' requests about their personal data: they list, answer and process requests."""
