"""Commands about the consent log and its receipts."""
