"""Statistics of visits, orders and answers to the banner, counted without personal data."""
