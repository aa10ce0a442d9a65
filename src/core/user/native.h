/* Calls of compiled functions during a fit. They need no GIL, but see to
 * Ctrl-C. */
#ifndef PYMINPACK_USER_NATIVE_H
#define PYMINPACK_USER_NATIVE_H

#include "user/call.h"

/* Residuals at x to fvec. Returns whether they are finite, or -1 as the
 * callbacks report it. */
int native_residuals(Problem *problem, const double *x, double *fvec,
                     int iflag);

/* The Jacobian at x, column-major: 0, or -1 as the callbacks report it. */
int native_jacobian(Problem *problem, const double *x, double *fvec,
                    double *fjac);

#endif /* PYMINPACK_USER_NATIVE_H */
