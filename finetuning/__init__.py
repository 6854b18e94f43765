"""Fine-tuning and evaluation: tasks, heads, metrics, sweeps, reports, feature extraction."""
