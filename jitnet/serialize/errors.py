"""What loading raises for a file that is damaged, hostile, or holds what jitnet lacks."""

from pickle import UnpicklingError


class CheckpointError(ValueError, UnpicklingError):
    """A file cannot be loaded; also caught by what catches the errors of torch.load."""
