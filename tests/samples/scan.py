"""Samples of scans."""

from __future__ import annotations

from raygrad.proto.operators import scan
from tests.sampling import integer, real, sample

SCAN = [
    *(
        sample(op(1, *order), real("N", 3))
        for op in (scan.CumSum, scan.CumProd)
        for order in ((), (True,), (False, True))
    ),
    *(sample(op(0, True, True), real("T", "N")) for op in (scan.CumSum, scan.CumProd)),
    *(sample(op(0), integer(4, "N")) for op in (scan.CumSum, scan.CumProd)),
    sample(scan.Recurrence(1), real("N", "T"), real("N", "T")),
    sample(scan.Recurrence(0, True), real("T", "N"), real("T", "N")),
]
