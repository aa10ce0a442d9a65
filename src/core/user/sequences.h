/* Sequences that a user's function returned, as they are at this moment. */
#ifndef PYMINPACK_USER_SEQUENCES_H
#define PYMINPACK_USER_SEQUENCES_H

#include "numpy_api.h"

/* The items of a list, tuple or other sequence, and theirs, as tuples; any
 * other object as it is. NumPy looks at lists while it calls methods of what
 * is in them, and those may change the lists. It also drops what a sequence's
 * own methods raise; here that reaches the user. One row may stand in a list
 * any number of times, so a few small lists can pretend to any size: of inner
 * sequences at most `most_inner` items are looked into.
 * A new reference, or NULL with an exception; `name` is for the message. */
PyObject *snapshot_of(PyObject *value, const char *name,
                      Py_ssize_t most_inner);

#endif /* PYMINPACK_USER_SEQUENCES_H */
