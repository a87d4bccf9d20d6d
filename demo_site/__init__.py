"""The demo: a small shop with the tags that real shops have, and the ad network to which those tags report."""
