"""The embedded models and pictures, loaded by name."""
