"""Images and bundles: layout on disk, registries, layers, snapshots, and config.json made of an image."""
