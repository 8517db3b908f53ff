"""ACME over the network: the client, and the answers to challenges."""
