/* Sequences that a user's function returned, as they are at this moment. */
#ifndef PYMINPACK_SNAPSHOT_H
#define PYMINPACK_SNAPSHOT_H

#include "numpy_api.h"

/* The items of a list, tuple or other sequence, and theirs, as tuples; any
 * other object as it is. NumPy looks at lists while it calls methods of what
 * is in them, and those may change the lists. It also drops what a sequence's
 * own methods raise; here that reaches the user.
 * A new reference, or NULL with an exception; `name` is for the message. */
PyObject *snapshot_of(PyObject *value, const char *name);

#endif /* PYMINPACK_SNAPSHOT_H */
