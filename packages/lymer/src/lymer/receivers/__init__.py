"""The door: every protocol that brings spans."""
