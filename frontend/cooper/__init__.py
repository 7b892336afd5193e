"""A front-end for people, over the command line of any OCI runtime."""
