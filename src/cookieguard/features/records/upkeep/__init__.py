"""Maintenance of the consent log: pruning, the daily record of expired consents, time stamps, and imports."""
