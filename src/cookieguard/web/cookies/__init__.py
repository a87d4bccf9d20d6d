"""The cookies of a request and a response: ours, the shop's, and those that nobody agreed to."""
