"""The scan by a browser: its visit, what it asks for and stores, and the browser itself."""
