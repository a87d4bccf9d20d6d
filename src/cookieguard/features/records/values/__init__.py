"""The pure code of the consent log: records, their sealing, the Merkle tree, checkpoints, receipts and verification.

Rule: no I/O and no clock. Callers pass in bytes, values and `now`; `features/records/store` keeps the records.
"""
