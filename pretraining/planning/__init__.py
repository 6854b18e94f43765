"""What a run will need: floating-point operations and memory."""
