"""Bundles: config.json made of an image's configuration and of what the caller wants."""
