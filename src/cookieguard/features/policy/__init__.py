"""The shop's privacy policy: its versions, and the notices to customers before a version takes effect."""
