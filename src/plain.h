/* What nearly every call of leastsq is like. */
#ifndef PYMINPACK_PLAIN_H
#define PYMINPACK_PLAIN_H

#include "options.h"

/* Whether the 14 arguments, leastsq's own in the order of solve(), are of the
 * kinds that need no settling; then the options are read. Runs no Python code
 * and sets no exception. */
int plain_read(Options *options, PyObject *const *args);

#endif /* PYMINPACK_PLAIN_H */
