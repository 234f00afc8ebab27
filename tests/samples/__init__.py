"""Sample inputs of every operator of the catalogue, one per line. `test_operators` demands at least one each.

One module per family. Sizes are named wherever the operator carries names: `N` is the batch, `T` a length.
"""

from tests.sampling import Sample

from .convolution import CONVOLUTION
from .elementwise import ELEMENTWISE
from .indexing import INDEXING
from .linear import LINEAR
from .loss import LOSS
from .normalization import NORMALIZATION
from .pooling import POOLING
from .random import RANDOM
from .reduction import REDUCTION
from .resampling import RESAMPLING
from .scan import SCAN
from .scatter import SCATTER
from .shape import SHAPE
from .sorting import SORTING
from .sources import SOURCES

SAMPLES: list[Sample] = [
    *SOURCES,
    *ELEMENTWISE,
    *REDUCTION,
    *SHAPE,
    *LINEAR,
    *INDEXING,
    *SCATTER,
    *SCAN,
    *SORTING,
    *CONVOLUTION,
    *POOLING,
    *NORMALIZATION,
    *LOSS,
    *RANDOM,
    *RESAMPLING,
]
