"""Requests as values: what the law gives, what is due, and what may happen next. No I/O and no clock."""
