"""The signed cart: its items, its versions, and the orders that end it."""
