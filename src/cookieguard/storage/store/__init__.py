"""The store: what every worker must know. Revocations, stored carts, oversized entries, remember-me series, logins."""
