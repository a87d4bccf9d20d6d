"""What lies in the state directory: keys, vault, staff list, access log."""
