"""Raw text to training examples: sources, cleaning, tokenisation, pairs and masks, Arrow shards."""
