"""BERT pretraining: the model, the loader, the loss, the DeepSpeed loop, checkpoints, Hugging Face exchange."""
