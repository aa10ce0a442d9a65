/* The build on an installed MINPACK-1 library, -Dminpack=system: its lmdif_ and lmder_ run the fits
 * of `leastsq`. */
#ifndef PYMINPACK_ARGONNE_H
#define PYMINPACK_ARGONNE_H

#include "drivers/one.h"

/* Run a fit that has begun and is not factored by blocks. 0, or -1 where it has to end before. Only
 * where ON_ARGONNE is 1. */
int argonne_run(One *one);

#endif /* PYMINPACK_ARGONNE_H */
