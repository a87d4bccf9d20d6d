"""The consent log: records, their sealing, the Merkle tree over them, signed checkpoints, receipts, verification.

Rule: no I/O and no clock. Bytes, values and `now` come in; the store of records is `features/records/store`.
"""
