"""Guarded shops on real servers: several workers, all bytes that they write, other servers, and a proxy in front."""
