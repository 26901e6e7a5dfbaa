"""erf, erfc, erfinv and the logistic function on NumPy arrays, computed in float64.

erf and erfc use the rational approximations of Sun's fdlibm (s_erf.c, error below 1 ULP);
erfinv uses Wichura's algorithm AS 241 (Applied Statistics 37, 1988).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

# Coefficients in ascending powers; P / Q on each interval of |x|.
_SMALL = (  # |x| < 0.84375: erf = x + x P(x^2) / Q(x^2)
    (1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
     -5.77027029648944159157e-03, -2.37630166566501626084e-05),
    (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
     1.32494738004321644526e-04, -3.96022827877536812320e-06),
)  # fmt: skip
_MIDDLE = (  # 0.84375 <= |x| < 1.25: erf = 0.845... + P(|x| - 1) / Q(|x| - 1)
    (-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
     3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
     -2.16637559486879084300e-03),
    (1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
     1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02),
)  # fmt: skip
_TAIL = (  # 1.25 <= |x| < 1 / 0.35: erfc = exp(-x^2 - 0.5625 + P(1/x^2) / Q(1/x^2)) / x
    (-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e01,
     -6.23753324503260060396e01, -1.62396669462573470355e02, -1.84605092906711035994e02,
     -8.12874355063065934246e01, -9.81432934416914548592e00),
    (1.0, 1.96512716674392571292e01, 1.37657754143519042600e02, 4.34565877475229228821e02,
     6.45387271733267880336e02, 4.29008140027567833386e02, 1.08635005541779435134e02,
     6.57024977031928170135e00, -6.04244152148580987438e-02),
)  # fmt: skip
_FAR = (  # 1 / 0.35 <= |x| < 28, as above
    (-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e01,
     -1.60636384855821916062e02, -6.37566443368389627722e02, -1.02509513161107724954e03,
     -4.83519191608651397019e02),
    (1.0, 3.03380607434824582924e01, 3.25792512996573918826e02, 1.53672958608443695994e03,
     3.19985821950859553908e03, 2.55305040643316442583e03, 4.74528541206955367215e02,
     -2.24409524465858183362e01),
)  # fmt: skip
_ERF_ONE = 8.45062911510467529297e-01

_CENTRAL = (  # |x| <= 0.85: erfinv = x P(r) / Q(r), r = 0.180625 - x^2 / 4, times a constant
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3),
)  # fmt: skip
_NEAR_END = (  # r = sqrt(-log((1 - |x|) / 2)) <= 5, in powers of r - 1.6
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
_AT_END = (  # r > 5, in powers of r - 5
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    total = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total *= x
        total += coefficient
    return total


def _ratio(x: np.ndarray, pair: tuple[Sequence[float], Sequence[float]]) -> np.ndarray:
    ratio: np.ndarray = _polynomial(x, pair[0]) / _polynomial(x, pair[1])
    return ratio


def _in_float64(function: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Compute on a flat float64 copy and give back the argument's shape and dtype."""

    def run(a: np.ndarray) -> np.ndarray:
        return function(a.astype(np.float64).ravel()).reshape(a.shape).astype(a.dtype)

    return run


def _tail(size: np.ndarray) -> np.ndarray:
    """Return erfc for |x| >= 1.25; exp(-x^2) is split so that x^2 loses no digits."""
    size = np.minimum(size, 28.0)
    inverse = 1 / (size * size)
    ratio = np.where(size < 1 / 0.35, _ratio(inverse, _TAIL), _ratio(inverse, _FAR))
    head = (size.view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(np.float64)
    rest = np.exp((head - size) * (head + size) + ratio) / size
    result: np.ndarray = np.exp(-head * head - 0.5625) * rest
    return result


def _erf(x: np.ndarray) -> np.ndarray:
    size = np.abs(x)
    result = x.copy()  # NaN stays
    small = size < 0.84375
    near = x[small]
    result[small] = near + near * _ratio(near * near, _SMALL)
    middle = (size >= 0.84375) & (size < 1.25)
    result[middle] = np.copysign(_ERF_ONE + _ratio(size[middle] - 1, _MIDDLE), x[middle])
    tail = size >= 1.25
    result[tail] = np.copysign(1 - _tail(size[tail]), x[tail])
    return result


def _erfc(x: np.ndarray) -> np.ndarray:
    size = np.abs(x)
    result = x.copy()
    small = size < 0.84375
    near = x[small]
    erf_near = near * _ratio(near * near, _SMALL)
    result[small] = np.where(near < 0.25, 1 - (near + erf_near), 0.5 - (near - 0.5 + erf_near))
    middle = (size >= 0.84375) & (size < 1.25)
    beyond = _ratio(size[middle] - 1, _MIDDLE)
    result[middle] = np.where(x[middle] >= 0, 1 - _ERF_ONE - beyond, 1 + (_ERF_ONE + beyond))
    tail = size >= 1.25
    far = _tail(size[tail])
    result[tail] = np.where(x[tail] >= 0, np.where(size[tail] < 28, far, 0.0), 2 - far)
    return result


def _erfinv(x: np.ndarray) -> np.ndarray:
    size = np.abs(x)
    result = np.full_like(x, np.nan)  # outside -1 .. 1, and for NaN
    central = size <= 0.85
    near = x[central]
    result[central] = near / 2 * _ratio(0.180625 - near * near / 4, _CENTRAL)
    end = (size > 0.85) & (size < 1)
    root = np.sqrt(-np.log((1 - size[end]) / 2))
    far = np.where(root <= 5, _ratio(root - 1.6, _NEAR_END), _ratio(root - 5, _AT_END))
    result[end] = np.copysign(far, x[end])
    result /= np.sqrt(2.0)
    result[size == 1] = np.copysign(np.inf, x[size == 1])
    return result


erf = _in_float64(_erf)
erfc = _in_float64(_erfc)
erfinv = _in_float64(_erfinv)


def sigmoid(a: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-a)); exp may overflow to infinity, which gives 0."""
    one = a.dtype.type(1)
    result: np.ndarray = one / (one + np.exp(-a))
    return result


def exp2(a: np.ndarray) -> np.ndarray:
    """Return 2 ** a, also for complex numbers, which NumPy's exp2 does not take."""
    found: np.ndarray = np.exp(a * a.dtype.type(np.log(2))) if a.dtype.kind == "c" else np.exp2(a)
    return found
