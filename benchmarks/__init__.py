"""How fast pyminpack is, beside what it could be and what else there is: `./dev bench`."""

import os

# One thread each, set before NumPy is loaded: the ratios are of work, not of cores.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
