"""How often a training step makes the host wait for the GPU, counted where there is none."""
