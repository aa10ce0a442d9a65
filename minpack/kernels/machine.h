/* Constants of MINPACK-1 that Fortran and C have in common: decimals, as it published them. */
#ifndef MINPACK_KERNELS_MACHINE_H
#define MINPACK_KERNELS_MACHINE_H

#ifdef __GFORTRAN__ /* its preprocessor joins what a comment keeps apart */
/* clang-format off */
#define DECIMAL(value) value/**/_dp
/* clang-format on */
#else
#define DECIMAL(value) value
#endif

/* The machine precision. */
#define EPSMCH DECIMAL(2.22044604926e-16)
/* The share of its digits that a norm may lose before it is computed afresh, squared and in units
 * of EPSMCH. */
#define SAFETY DECIMAL(0.05)
/* Between these, the latter over the number of components, squares can be summed as they are. */
#define SMALLEST_MEDIUM DECIMAL(3.834e-20)
#define LARGEST_MEDIUM DECIMAL(1.304e19)

#endif /* MINPACK_KERNELS_MACHINE_H */
