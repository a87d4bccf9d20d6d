"""One small shop in each framework's own way, and what must hold for all of them under CookieGuard."""
