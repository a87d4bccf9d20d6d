"""Privacy requests as values: their deadlines, their steps, and the acts that are allowed. No I/O and no clock."""
