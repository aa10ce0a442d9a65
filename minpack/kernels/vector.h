/* Vectors, where loops over columns cannot say what is meant. */
#ifndef MINPACK_KERNELS_VECTOR_H
#define MINPACK_KERNELS_VECTOR_H

/* Elements of a vector of the instruction set, four at most. */
#ifdef __AVX__
#define WIDTH 4
#else
#define WIDTH 2
#endif

#define VECTOR(width) __attribute__((vector_size(width * sizeof(double)), aligned(8), may_alias))

typedef double Two VECTOR(2);
typedef double Four VECTOR(4);
typedef double Vector VECTOR(WIDTH);

#endif /* MINPACK_KERNELS_VECTOR_H */
