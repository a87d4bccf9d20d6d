"""The page of a visitor's privacy: what is kept, which cookies there are, and requests to the shop."""
