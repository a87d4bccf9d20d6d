"""The policy's texts in their folder, and its announcements in the store."""
