"""Commands about the shop's people: staff, the weekly letter, and what opens a customer's data without a code."""
