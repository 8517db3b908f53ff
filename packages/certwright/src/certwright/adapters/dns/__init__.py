"""DNS: what zones hold, and the providers that change it."""
