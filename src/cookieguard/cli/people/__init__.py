"""Commands of owner and officer: the weekly letter, and what opens a customer's data without a code."""
