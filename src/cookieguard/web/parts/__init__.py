"""The parts of a worker, of which each runs a capability with its pages, and the ports by which the core calls them."""
