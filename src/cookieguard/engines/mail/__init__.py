"""Mail that must go out once: an outbox in the store, and the sender that empties it."""
