"""From the journal to the store."""
