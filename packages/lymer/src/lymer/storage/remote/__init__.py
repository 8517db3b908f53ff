"""A store in another process: what is asked and answered over gRPC, and who asks."""
