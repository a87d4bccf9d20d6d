"""The store that workers share: revocations, stored carts, oversized entries, remember-me series and logins."""
