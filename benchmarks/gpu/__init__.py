"""What the project does on one GPU, part by part: `python -m benchmarks.gpu` (`__main__.py`)."""
