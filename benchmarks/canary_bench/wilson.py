"""How sure a share is."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson(hits: int, of: int, *, level: float = 0.95) -> tuple[float, float]:
    """
    Give the two ends of a share's interval, 0–1; (0, 1) when nothing was tried.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    if of == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    middle = hits + z * z / 2.0
    reach = z * math.sqrt(hits * (of - hits) / of + z * z / 4.0)
    return max(0.0, (middle - reach) / (of + z * z)), min(1.0, (middle + reach) / (of + z * z))
