"""Images in files: docker's archives (`docker save`), and OCI image layouts in a tar or in a directory."""
