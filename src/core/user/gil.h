/* The GIL, while a fit has no need of it: who leaves it watches out for Ctrl-C, and for others'
 * wish that it ends. */
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
} Gil;

/* Leave the GIL to others. */
void gil_leave(Gil *gil);

/* Leave it, unless it was left before, if there is so much work to do before the user's functions
 * are wanted again. */
void gil_leave_for(Gil *gil, double work);

/* Take the GIL back if it was left. */
void gil_take(Gil *gil);

/* Whether to end: `stop` says so, or Ctrl-C has raised an exception. Without the GIL that is looked
 * for once a second. */
int gil_is_interrupted(Gil *gil);

/* Whether no other Python thread waits for the GIL, or may come to. */
int gil_is_nobody_elses(void);

#endif /* PYMINPACK_USER_GIL_H */
