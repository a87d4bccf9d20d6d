"""The scanner: it visits a shop and lists the third parties that its pages contact, in each state of consent.

Rule: a scan sees a shop from outside, as visitors do, and changes nothing. `web` never imports this package.
"""
