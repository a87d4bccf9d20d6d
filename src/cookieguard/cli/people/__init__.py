"""Commands for staff: their tokens, the weekly letter, notes, and access to data without a customer's code."""
