/* What programs in C call of the kernels. */
#ifndef MINPACK_KERNELS_KERNELS_H
#define MINPACK_KERNELS_KERNELS_H

/* The best instruction set that there is code for and that this processor has: 0 the baseline, 1
 * AVX2, 2 AVX-512. */
int cpu_instruction_set(void);

/* How many matrices batched_qr factors at a time: 2 or BATCHED_MOST. */
#define BATCHED_MOST 4
int batched_width(int isa);

/* qrfac_ with pivoting for several m by n matrices at a time, with the bits that it has for each.
 * The elements of one index follow each other: (i, j) of matrix b is a[(j*m + i)*width + b]. On
 * exit a holds the factors, rhs is Q' times what it was, norms the n norms that are R's diagonal
 * and then the n of the columns; work has room for n. 0 where something is unusual: nothing of the
 * outputs is of use then. */
int batched_qr(int isa, int m, int n, double *a, double *rhs, int *ipvt, double *norms,
               double *work);

#endif /* MINPACK_KERNELS_KERNELS_H */
