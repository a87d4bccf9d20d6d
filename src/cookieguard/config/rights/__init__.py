"""What the shop says of the data it keeps, who answers for it, and how persons are answered."""
