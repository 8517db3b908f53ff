"""The questions: why a certificate must be issued, is not ready, or its Secret rewritten. Pure.

`chains` is the table of contents; "why did it renew?" ends there.
"""
