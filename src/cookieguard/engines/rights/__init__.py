"""The queue of requests about personal data, and the work that answers them."""
