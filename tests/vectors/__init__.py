"""Every way in which a page contacts a third party, one page each, in Chromium before and after consent."""
