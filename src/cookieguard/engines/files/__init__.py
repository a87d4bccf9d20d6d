"""Files of the core: the access log, the owner's country database, and undeclared loads that browsers reported."""
