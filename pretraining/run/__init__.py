"""One pretraining run: the loop and everything around it."""
