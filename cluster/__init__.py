"""Running the stages: the beam command, the demo chain, preflight checks, Slurm scripts."""
