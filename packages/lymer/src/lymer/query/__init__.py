"""Questions in, repaired answers out."""
