"""The pages of statistics, and what of them may be shown."""
