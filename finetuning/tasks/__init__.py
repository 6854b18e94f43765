"""What a task is, and its rows."""
