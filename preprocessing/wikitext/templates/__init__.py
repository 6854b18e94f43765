"""Templates whose text belongs to the sentence around them."""
