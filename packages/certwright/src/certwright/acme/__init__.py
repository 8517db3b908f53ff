"""ACME without a network: messages, signatures, names, choices.

Source: RFC 8555, 8737, 8738, 9773; draft-ietf-acme-profiles.
"""
