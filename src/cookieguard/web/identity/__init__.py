"""Who the visitor is, as a request finds out: customers, remember-me, the wait for the store."""
