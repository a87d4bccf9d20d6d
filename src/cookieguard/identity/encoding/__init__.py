"""The encodings inside of tokens: base64url and canonical JSON."""
