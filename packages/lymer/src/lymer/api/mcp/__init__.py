"""The Model Context Protocol: an assistant asks the store by tools, reading only."""
