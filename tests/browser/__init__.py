"""The guarded shop in a real Chromium. A package, so that the browser is closed when its last test is done."""
