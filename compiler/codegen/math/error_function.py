"""erf, erfc and erfinv.

float erf: 1 - e^-p(x), as 2^n e^r - 1 that loses no digits of small x: no branch.
double: a polynomial for small x, erfc(x) = exp(-x^2) q(t) / (1 + 2 x) with t = (x - 4) / (x + 4)
beyond. erfinv(x) = x p(w), w = -ln(1 - x^2), with p in three pieces. Minimax polynomials as in
exponential.py: relative error of erf 2^-29 (float) and 2^-56, of q and p 2^-54.
"""

from __future__ import annotations

from ..emitter import F32, Function, Value
from .exponential import EXP, LOG2_E, exp_of_pair, power_of_scaled
from .logarithm import LN2, log, log1p
from .real import Real, through_double

# erf x = x + x (c0 + c1 x^2 + ...), |x| <= 0.85
ERF = (
    0.1283791670955126, -0.37612638903183754, 0.11283791670955118, -0.02686617064512875,
    0.005223977625402899, -0.0008548327019769382, 0.00012055332759990674,
    -1.4925641387018986e-05, 1.6461865377643358e-06, -1.6361083167335526e-07,
    1.4745336451127736e-08, -1.1765812761856603e-09, 6.752129246969188e-11,
)  # fmt: skip
ERF_SPLIT = 0.84
# -log(erfc(x)) / x - 1 for x in [0, 4]; weighted with the effect on erf
LOG_ERFC = (
    0.12837916612625122, 0.6366195678710938, 0.10277630388736725, -0.019147822633385658,
    -0.00016950326971709728, 0.0016756732948124409, -0.0006373599753715098,
    0.00011885970889125019, -9.387690624862444e-06,
)  # fmt: skip
# 1 - e^-r = r + r^2 (c0 + c1 r + ...)
ONE_LESS_EXP = tuple(c * (-1) ** (power + 1) for power, c in enumerate(EXP[F32]))
# exp(x^2) erfc(x) (1 + 2 x) as a function of (x - 4) / (x + 4), x in [0.45, 27.6]
SCALED_ERFC = (
    1.2329951186255526, -0.1396211168405625, 0.01537965210261972, 0.06809705425468861,
    -0.10103906603630142, 0.09373283499852571, -0.06633036581232629, 0.037167515533986444,
    -0.016197734055966095, 0.005031970016318431, -0.0007577733056074805, -0.00019925695019307592,
    0.0001506217724923306, -2.4398121575304046e-05, -1.1222383225904747e-05,
    5.706661501860752e-06, 2.9464332268697186e-07, -8.197701624785461e-07, 7.342023685177736e-08,
    1.0348369171195976e-07, -1.6934969161105705e-08, -9.735796400369136e-09,
    1.5005329905126393e-09,
)  # fmt: skip
# p(w) in w - 3.125 up to w = 6.25, then in sqrt(w) - 3.25 up to w = 16, then in sqrt(w) - 5
ERFINV_CENTRE = (
    1.6536545626831027, 0.24015818242558834, -0.006033670871426997, -0.0007407025341546005,
    0.00018673420802052288, -1.3882523394058495e-05, -1.365469177230376e-06,
    4.2347881693115605e-07, -2.9070389949554592e-08, -4.112660501114913e-09,
    1.0512226104046126e-09, -5.4143010487685804e-11, -1.2978524673047756e-11,
    2.630521992811392e-12, -8.078685790787964e-14, -4.0019380919983106e-14,
    6.532186016843542e-15, -3.945381602037832e-17, -1.2330653878857947e-16,
    1.5512930624489657e-17, 6.847737700996686e-19, -3.473718856483517e-19,
    1.7011619001163976e-20, 3.19332784563236e-21, -3.090186468422233e-22,
)  # fmt: skip
ERFINV_MIDDLE = (
    3.0838856104922208, 1.0052589676941655, 0.005370914553555348, -0.0037512085082284053,
    0.0024914420979366835, -0.0016882755353239487, 0.0009532893420767749, -0.0003550378156991884,
    2.4031506738598932e-05, 6.828713314310297e-05, -4.732063768729473e-05, 1.24649526308757e-05,
    2.9323962434685847e-06, -3.9854879959043245e-06, 1.48207304455114e-06,
    -2.7988675104016006e-08, -2.4624349102670353e-07, 1.3193141180801808e-07,
    -2.0270253182987006e-08, -1.5439594096873885e-08, 7.444381784809956e-09,
)  # fmt: skip
ERFINV_TAIL = (
    4.849906401408584, 1.0103004648645453, -0.00013871931838191468, -0.0002150301198299728,
    7.599527814445948e-05, -1.968177066589933e-05, 4.526052032261174e-06, -9.930296405707768e-07,
    2.290553802552936e-07, -6.755517808016559e-08, 2.9011176975705998e-08,
    -1.5257342992917685e-08, 7.834230494296315e-09, -3.4684903080517e-09, 1.3032393495768307e-09,
    -4.3940212374784026e-10, 7.641121115537225e-11, 4.335032291514513e-11, -2.191804900957941e-11,
)  # fmt: skip


def _erf_float(real: Real, size: Value) -> Value:
    """Return erf for 0 <= size as 1 - e^-p = 1 - 2^n e^-r, p = -log(erfc(size))."""
    size = real.at_most(size, 4.0)  # from here on erf rounds to 1
    p = real.fma(real.short_polynomial(size, LOG_ERFC), size, size)
    n, power = power_of_scaled(real, p, -LOG2_E)
    r = real.fma(n, LN2, p)  # what n ln 2 has lost shrinks with 2^n, and n = 0 loses nothing
    part = real.fma(real.mul(r, r), real.short_polynomial(r, ONE_LESS_EXP), r)
    return real.fma(power, part, real.sub(1.0, power))


def _erf_near_zero(real: Real, x: Value) -> Value:
    return real.fma(real.polynomial(real.mul(x, x), ERF), x, x)


def _erfc_double(real: Real, size: Value) -> Value:
    """Return the complement for 0.45 <= size."""
    size = real.at_most(size, 27.5)
    t = real.div(real.sub(size, 4.0), real.add(size, 4.0))
    square, error = real.two_product(size, size)
    gauss = exp_of_pair(real.f, real.neg(square), real.neg(error))
    scaled = real.div(real.polynomial(t, SCALED_ERFC), real.fma(size, 2.0, 1.0))
    return real.mul(gauss, scaled)


def erf(f: Function, x: Value) -> Value:
    """The error function."""
    real = Real(f, x)
    size = real.abs(x)
    if x.element == F32:
        return real.copysign(_erf_float(real, size), x)
    outer = real.copysign(real.sub(1.0, _erfc_double(real, size)), x)
    large = real.compare("ogt", size, ERF_SPLIT)
    return real.select(large, outer, _erf_near_zero(real, x))


@through_double
def erfc(f: Function, x: Value) -> Value:
    """1 - erf(x), with all digits of small results."""
    real = Real(f, x)
    size = real.abs(x)
    complement = _erfc_double(real, size)
    outer = real.select(real.compare("olt", x, 0.0), real.sub(2.0, complement), complement)
    inner = real.sub(1.0, _erf_near_zero(real, x))
    return real.select(real.compare("ogt", size, 0.47), outer, inner)


@through_double
def erfinv(f: Function, x: Value) -> Value:
    """The inverse of erf; infinite at 1 and -1, NaN beyond."""
    real = Real(f, x)
    size = real.abs(x)
    # 1 - x^2 without cancellation: near 1, 1 - size is exact.
    factor = real.mul(real.sub(1.0, size), real.add(size, 1.0))
    near = log1p(f, real.neg(real.mul(x, x)))
    w = real.neg(real.select(real.compare("olt", size, 0.5), near, log(f, factor)))
    root = real.sqrt(w)
    centre = real.polynomial(real.sub(w, 3.125), ERFINV_CENTRE)
    middle = real.polynomial(real.sub(root, 3.25), ERFINV_MIDDLE)
    tail = real.polynomial(real.sub(root, 5.0), ERFINV_TAIL)
    factor = real.select(real.compare("olt", w, 16.0), middle, tail)
    factor = real.select(real.compare("olt", w, 6.25), centre, factor)
    result = real.mul(factor, x)
    return real.select(real.compare("oeq", size, 1.0), real.div(x, real.const(0.0)), result)
