"""The command that comes from another banner."""
