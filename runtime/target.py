"""What code generation must know of a processor."""

from __future__ import annotations

from .dataclass import dataclass


@dataclass(frozen=True)
class Target:
    """A processor: its LLVM name, features and triple, its vector registers and its cache."""

    cpu: str
    features: str
    triple: str
    vector_bytes: int  # 16 SSE/NEON, 32 AVX2, 64 AVX-512
    vector_registers: int  # 16 or 32
    cache_bytes: int = 1 << 19  # level 2, of one core
    has_fma: bool = True

    @property
    def is_avx512(self) -> bool:
        """Whether lanes can be scaled by powers of two and their reciprocals estimated."""
        return self.vector_bytes == 64

    def lanes(self, size: int) -> int:
        """Elements of `size` bytes in one vector register."""
        return self.vector_bytes // size
