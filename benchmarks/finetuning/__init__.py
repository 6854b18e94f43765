"""Fine-tuning here and by the `Trainer` of transformers, as `python -m benchmarks.finetuning` compares them."""
