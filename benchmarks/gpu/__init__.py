"""What the project does on one GPU, by one command: `python -m benchmarks.gpu`; docs/gpu.md has what was seen."""
