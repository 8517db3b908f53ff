"""The nouns: objects of the cluster, their fields, defaults and rules. Pure."""
