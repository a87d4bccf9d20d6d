"""The parts of a worker with their pages, and the ports by which the core asks them."""
