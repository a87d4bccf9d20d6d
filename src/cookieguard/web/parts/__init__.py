"""What a worker is made of: parts with their pages, and the ports by which the core asks them."""
