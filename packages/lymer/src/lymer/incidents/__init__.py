"""Incidents to practise on: traffic in which one thing goes wrong, and the truth about it."""
