"""Changes of vendors that staff make in the console: sealed rows in the store, which the shop's file overrides."""
