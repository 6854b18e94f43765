"""What differs between kinds of tasks: encoding, heads, losses, scores."""
