/* What nearly every call of leastsq is like. */
#ifndef PYMINPACK_USER_PLAIN_H
#define PYMINPACK_USER_PLAIN_H

#include "user/options.h"

/* Whether the 14 arguments, leastsq's own in the order of solve(), are of the
 * kinds that need no settling; then the options are read. Runs no Python code
 * and sets no exception. */
int plain_read(Options *options, PyObject *const *args);

#endif /* PYMINPACK_USER_PLAIN_H */
