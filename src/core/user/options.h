/* The options of a fit that are MINPACK's, and how its Jacobian is factored.
 */
#ifndef PYMINPACK_USER_OPTIONS_H
#define PYMINPACK_USER_OPTIONS_H

#include "numpy_api.h"

/* How the Jacobian is factored. */
enum { QR_AUTO, QR_MINPACK, QR_BLOCKED };

typedef struct {
    double ftol, xtol, gtol, epsfcn, factor;
    int maxfev;
    int mode; /* 1: MINPACK scales; 2: diag is the user's */
    int qr;   /* QR_AUTO, QR_MINPACK or QR_BLOCKED */
} Options;

/* Read ftol, xtol, gtol, factor and maxfev. 0, or -1 with an exception. */
int options_read(Options *options, PyObject *const *args);

/* Read how the Jacobian is to be factored. 0, or -1 with an exception. */
int options_read_qr(Options *options, PyObject *qr);

/* Read the relative error of func: None leaves it to the NumPy type of func's
 * first result. 0, or -1 with an exception. */
int options_read_epsfcn(Options *options, PyObject *epsfcn, int type_num);

#endif /* PYMINPACK_USER_OPTIONS_H */
