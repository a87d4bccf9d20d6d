"""The shop's pages, one module for each task of a visitor."""
