"""Sends the shop's notices by mail, and keeps which marketing lists customers subscribed to."""
