"""What stands inside of tokens: base64url and canonical JSON."""
