"""What loading raises for a file that is damaged, hostile, or holds what jitnet lacks."""

from pickle import UnpicklingError


class CheckpointError(ValueError, UnpicklingError):
    """A file cannot be loaded; also caught by what catches the errors of torch.load."""


def shown(value: object) -> str:
    """Return a file's value for an error: a few words, however large or deep it is."""
    if type(value) is tuple:
        return f"({', '.join(_word(item) for item in value[:8])})"
    return _word(value)


def _word(value: object) -> str:
    match value:
        case str() | bytes():
            return repr(value[:60])
        case int() if abs(value) < 2**64:
            return str(value)
        case float() | None:
            return repr(value)
    return f"a {type(value).__name__}"
