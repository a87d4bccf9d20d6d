"""What cookieguard puts into a page: guard, banner, control, placeholders."""
