"""Networks in other forms than PyTorch's own, and the proof that they answer the same."""
