"""What this machine can do for containers, tried and not guessed, and whether containers have the limits they should."""
