/* Vectors of the instruction set that a file is compiled for. */
#ifndef MINPACK_KERNELS_VECTOR_H
#define MINPACK_KERNELS_VECTOR_H

#include <stddef.h>

#if defined(__AVX512F__)
#define WIDTH 8
#elif defined(__AVX__)
#define WIDTH 4
#else
#define WIDTH 2
#endif

#define VECTOR(width)                                                         \
    __attribute__((vector_size(width * sizeof(double)), aligned(8), may_alias))

typedef double Two VECTOR(2);
typedef double Four VECTOR(4);
typedef double Vector VECTOR(WIDTH);

/* Before the body of a template: each instance gets code of its own, where
 * what is constant there decides. */
#define TEMPLATE static inline __attribute__((always_inline))

/* Before a loop over columns, so that each of them has registers of its own.
 */
#define UNROLL _Pragma("GCC unroll 8")

TEMPLATE Vector
load(const double *from)
{
    return *(const Vector *)from;
}

TEMPLATE void
store(double *to, Vector value)
{
    *(Vector *)to = value;
}

TEMPLATE Vector
broadcast(double value)
{
    return value - (Vector){0};
}

/* The sum of a vector's elements: its upper half is added to the lower one
 * until one is left. */
TEMPLATE double
sum(Vector value)
{
#if WIDTH == 8
    const union {
        Vector whole;
        Four half[2];
    } eight = {value};
    const Four sum4 = eight.half[0] + eight.half[1];
#elif WIDTH == 4
    const Four sum4 = value;
#endif
#if WIDTH > 2
    const union {
        Four whole;
        Two half[2];
    } four = {sum4};
    const Two sum2 = four.half[0] + four.half[1];
#else
    const Two sum2 = value;
#endif

    return sum2[0] + sum2[1];
}

/* The sum over the rows, or of those over each half of them. */
TEMPLATE double
sum_of_halves(int halves, const Vector sums[2])
{
    return halves == 1 ? sum(sums[0]) : sum(sums[0]) + sum(sums[1]);
}

#endif /* MINPACK_KERNELS_VECTOR_H */
