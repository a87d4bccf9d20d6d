"""The demo: a small shop with the tags real shops have, and the ad network those tags report to."""
