"""What a person may ask of the shop about their data, and the clock that the law sets for the answer."""
