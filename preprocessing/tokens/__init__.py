"""Documents → pieces of words."""
