"""Where the consent log is kept: records and tree in one store, the keys of their subjects in another."""
