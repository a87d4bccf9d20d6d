"""The shop's privacy policy: versions with their dates, what differs between two, and when each is in force.

Rule: pure logic. Texts, announcements and the day come in; no I/O, no clock of its own.
"""
