"""A traced function as graphs: what it got, what tensors did in it, what it returned and set."""
