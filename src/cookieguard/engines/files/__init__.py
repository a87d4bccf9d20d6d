"""Files of the core: the access log, the owner's country database, and reports of undeclared hosts."""
