/* Fetching memory into the cache, which Fortran has no word for. */
#ifndef MINPACK_KERNELS_FETCH_H
#define MINPACK_KERNELS_FETCH_H

#include <stdint.h>

/* Fetch the line that is so many doubles behind, be there an array or not. */
static inline void
fetch(const double *from, int64_t distance)
{
    uintptr_t address = (uintptr_t)from + (uintptr_t)distance * sizeof(double);

    __builtin_prefetch((const void *)address);
}

#endif /* MINPACK_KERNELS_FETCH_H */
