"""From a finished request to a log line and a raw hit."""
