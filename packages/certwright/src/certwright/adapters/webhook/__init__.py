"""The webhook's edges: HTTPS, its certificates, and the questions it asks the API server."""
