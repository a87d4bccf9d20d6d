"""From a request to a log line, a raw hit and a choice for the consent log."""
