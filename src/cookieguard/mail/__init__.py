"""Mail as bytes: notices of the policy, confirmations, and the headers by which a reader leaves a list.

Rule: pure logic. Addresses, texts and `now` come in, messages and headers come out; nothing is sent from here.
"""
