/* What a thread without the GIL watches out for: Ctrl-C, and others' wish that
 * it ends. */
#ifndef PYMINPACK_USER_GIL_H
#define PYMINPACK_USER_GIL_H

#include "numpy_api.h"

#include <stdatomic.h>
#include <time.h>

typedef struct {
    PyThreadState *released; /* not NULL while the GIL is left to others */
    const atomic_int *stop;  /* borrowed; NULL, or not 0 where it is to end */
    time_t looked;           /* when Ctrl-C was last looked for */
    int interrupted;
} Watch;

/* Leave the GIL to others. */
void watch_begin(Watch *watch);

/* Take the GIL back if it was left. */
void watch_end(Watch *watch);

/* Whether to end: `stop` says so, or Ctrl-C has raised an exception. Without
 * the GIL that is looked for once a second. */
int watch_is_interrupted(Watch *watch);

#endif /* PYMINPACK_USER_GIL_H */
