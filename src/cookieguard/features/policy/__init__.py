"""The shop's own privacy policy: its versions, and the notice before each."""
