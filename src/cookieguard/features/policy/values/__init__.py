"""The rules of policy versions: their dates, which of them is in force, and the differences between two texts.

Rule: pure logic. Texts, announcements and the current day are passed in; no I/O and no clock.
"""
