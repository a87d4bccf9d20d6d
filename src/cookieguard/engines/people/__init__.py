"""The shop's people: their sessions, what they looked at, and what opens a customer's data to them."""
