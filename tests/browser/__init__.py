"""The guarded shop in a real Chromium. This is a package, so that the browser closes after its last test."""
