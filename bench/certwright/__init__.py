"""How fast Certwright settles many Certificates, and what it costs when nothing happens."""
