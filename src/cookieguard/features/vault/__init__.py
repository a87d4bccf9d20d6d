"""Addresses of risky events, sealed for the one person who may open them."""
