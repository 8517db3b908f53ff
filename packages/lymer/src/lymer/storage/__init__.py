"""The store: a contract, and the implementations that pass its test kit."""
