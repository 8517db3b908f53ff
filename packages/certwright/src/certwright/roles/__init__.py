"""The programs: each a timeline that starts parts in order and stops them in reverse."""
