/* Sequences of the user's, as they are at this moment. */
#ifndef PYMINPACK_USER_SEQUENCES_H
#define PYMINPACK_USER_SEQUENCES_H

#include "user/arrays.h"

/* The items of a list, tuple or other sequence, and theirs, as tuples; any other object as it is.
 * NumPy looks at lists while it calls methods of what is in them, and those may change the lists.
 * It also drops what a sequence's own methods raise; here that reaches the user. One row may stand
 * in a list any number of times, so a few small lists can pretend to any size: of inner sequences
 * at most source->most_inner items are looked into. A new reference, or NULL with an exception. */
PyObject *sequences_snapshot(PyObject *value, const Source *source);

/* Copy a list or tuple of `size` floats and ints. 1 when done; 0 when it is anything else, and
 * `out` may be partly written; -1 with an exception. */
int sequences_copy_floats(PyObject *value, npy_intp size, double *out);

#endif /* PYMINPACK_USER_SEQUENCES_H */
