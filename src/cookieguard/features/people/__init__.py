"""The shop's people: their sign-in, what each of them may see of a customer, and the journal of what they saw."""
