"""HTTP itself: headers, codings, charsets, validators, origins."""
