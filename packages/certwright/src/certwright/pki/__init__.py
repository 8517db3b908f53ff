"""X.509: keys, requests, certificates, chains, keystores. Pure."""
