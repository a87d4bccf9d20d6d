"""What a worker runs for each capability (a part with its pages), and the ports by which the core calls them."""
