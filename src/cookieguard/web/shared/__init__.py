"""Pages that shared caches in front of the shop may keep, with a variant for each state of consent."""
