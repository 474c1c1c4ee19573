"""Put a backup in the place of what is live."""
