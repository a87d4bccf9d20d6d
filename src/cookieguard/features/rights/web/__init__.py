"""The web pages about privacy requests: the visitor's page, the staff page, and the codes for guests."""
