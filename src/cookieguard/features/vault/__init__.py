"""The vault: network addresses of risky events, sealed so that only the vault's owner can open them."""
