"""How a request is signed. Pure: an issuer returns what it made, or what it needs."""
