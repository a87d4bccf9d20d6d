"""The cookies of a request and its response: ours, the shop's own, and those held until the visitor consents."""
