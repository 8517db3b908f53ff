"""`certwright standalone DIR`: YAML in, certificates out, no cluster."""
