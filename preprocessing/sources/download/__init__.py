"""What `preprocessing.download` fetches, and how."""
