"""The encodings used in tokens: base64url and canonical JSON."""
