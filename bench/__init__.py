"""Measures Lymer against a ceiling and a floor on the same machine; see README.md."""
