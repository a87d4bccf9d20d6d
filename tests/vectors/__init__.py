"""Every way a page contacts somebody, one page each, in a real Chromium before and after consent."""
