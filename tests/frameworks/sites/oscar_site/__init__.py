"""A small django-oscar shop as its users write one: catalogue, basket, checkout, accounts, the dashboard."""
