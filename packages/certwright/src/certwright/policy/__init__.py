"""The questions: why a certificate must be issued, is not ready, or its Secret rewritten. Pure."""
