"""Functions of functions with torch.func's names: grad, vjp, jvp, Jacobians, vmap."""

from jitnet.missing import missing

from .calling import functional_call, stack_module_state
from .gradients import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp
from .mapping import vmap

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "vjp",
    "vmap",
]

__getattr__ = missing(__name__, globals())
