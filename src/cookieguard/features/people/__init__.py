"""The shop's people: who may see what of a customer, and the journal of what they saw."""
