"""What cooper's commands on images have in common."""
