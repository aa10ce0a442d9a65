/* Constants of MINPACK-1 that Fortran and C have in common: decimals, as it
 * published them. */
#ifndef MINPACK_KERNELS_MACHINE_H
#define MINPACK_KERNELS_MACHINE_H

/* The machine precision. */
#define EPSMCH 2.22044604926e-16
/* The share of its digits that a norm may lose before it is computed afresh,
 * squared and in units of EPSMCH. */
#define SAFETY 0.05
/* Between these, the latter over the number of components, squares can be
 * summed as they are. */
#define SMALLEST_MEDIUM 3.834e-20
#define LARGEST_MEDIUM 1.304e19

#endif /* MINPACK_KERNELS_MACHINE_H */
