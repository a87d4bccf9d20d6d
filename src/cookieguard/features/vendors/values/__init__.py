"""What changes of vendors say, and what is in force of them."""
