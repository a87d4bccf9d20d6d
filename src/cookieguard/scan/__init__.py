"""The scanner: which third parties a shop reaches, by what, in each state of consent.

Rule: it looks at a shop from outside, as visitors do, and changes nothing. Nothing of it is imported by `web`.
"""
