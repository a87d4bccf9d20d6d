"""Requests of customers about their data, from the first click to the answer."""
