"""A recipe's tables, and DeepSpeed's dictionary."""
