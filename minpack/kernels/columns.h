/* How the kernels are written whose sums have no fixed order.
 *
 * A kernel is a template: a loop over rows that says what happens to the most columns, under
 * conditions that are constants in each instance. Every sum is a variable of its own, for which
 * `omp simd` allows that rows go side by side in a vector; so sums and weights live in registers
 * while the rows pass by. Where there are few sums the adders would wait for their own results, so
 * those over the upper half of the rows, z, are formed beside those over the lower half, s. */
#ifndef MINPACK_KERNELS_COLUMNS_H
#define MINPACK_KERNELS_COLUMNS_H

#include <stddef.h>

#include "tuning.h"

/* Before a template: it becomes part of each instance. */
#define TEMPLATE static inline __attribute__((always_inline))

/* So many rows, or half of them. That there are some and that they are a multiple spares the code
 * for others. */
TEMPLATE ptrdiff_t
rows_of(int rows, int halved)
{
    const int multiples = rows < ROW_MULTIPLE ? 1 : rows / ROW_MULTIPLE;

    return (ptrdiff_t)multiples * (halved ? ROW_MULTIPLE / 2 : ROW_MULTIPLE);
}

#endif /* MINPACK_KERNELS_COLUMNS_H */
