"""Pages that caches in front of the shop may keep, one for each state of consent."""
