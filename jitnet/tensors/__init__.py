"""What Tensor is made of: memory and views, history, methods; how it is made and shown."""
