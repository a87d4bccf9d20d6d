"""What is done with the log beside writing it: letting go of old records, telling what ran out, bringing others in."""
