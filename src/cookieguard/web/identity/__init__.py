"""Find out which customer a request belongs to: by the app, by remember-me, and from the store of sessions."""
