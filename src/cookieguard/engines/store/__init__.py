"""The store: what every worker must know. Revocations, oversized carts, remember-me series."""
