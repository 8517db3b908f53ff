"""The world: stores behind `engine.store`, one package each."""
