"""What cooper decides, without root."""
