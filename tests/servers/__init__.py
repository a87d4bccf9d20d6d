"""Real servers around a guarded shop: several workers, every byte they write, other servers, a proxy in front."""
