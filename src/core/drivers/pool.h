/* The fits of a table that are under way together: each in a place, which the next fit takes over
 * when one is finished. */
#ifndef PYMINPACK_DRIVERS_POOL_H
#define PYMINPACK_DRIVERS_POOL_H

#include "drivers/table.h"
#include "fit/batched.h"
#include "fit/fit.h"

typedef struct {
    Table *table;   /* borrowed: starts, options and results */
    Fit *fits;      /* owned: `used` of them are under way */
    double *memory; /* owned: what the fits point to */
    npy_intp size;
    npy_intp used;
    npy_intp next; /* the first fit of the table that has not begun, */
    npy_intp end;  /* and where those that may begin end */
    npy_intp done; /* fits that are finished */
    int m;
    int differences;       /* the Jacobian is by differences */
    const double **points; /* owned: n, where columns of differences are that
                              become a triangle */
    Batched batched;
} Pool;

/* Make `size` places for fits of m residuals, 0: as many as suit the caches. None is under way, and
 * fits may begin where `end` is moved on. `pool` is all zero before, but for `table` and
 * `differences`; pool_clear undoes it, also after a failure. 0, or -1 with an exception. */
int pool_open(Pool *pool, int m, npy_intp size);

void pool_clear(Pool *pool);

/* See to it that every fit waits for something that can be evaluated: one that cannot go on is
 * finished, and the next ones take the place of those that are. */
void pool_fill(Pool *pool);

/* Put the next fit into the place of one that is finished: whether there is one. */
int pool_refill(Pool *pool, Fit *fit);

/* How many fits of m residuals go together best. */
int pool_together(const Table *table, int m);

/* Whether the trial point of a fit can be evaluated; if not, it is finished. */
int pool_may_try(Pool *pool, Fit *fit);

/* How many points residuals are wanted at. */
int pool_points(const Pool *pool, const Fit *fit);

/* Where the residuals go that are wanted: m for each point. */
double *pool_target(const Fit *fit);

/* Whether the user's Jacobian is wanted. */
int pool_wants_jacobian(const Pool *pool, const Fit *fit);

/* Go on with a fit whose answer is in place; `finite`: whether all residuals are. Where it was a
 * Jacobian it may wait for those of others. 0, or -1 where memory is lacking. */
int pool_advance(Pool *pool, Fit *fit, int finite);

/* Let no Jacobian wait any longer. */
void pool_flush(Pool *pool);

/* Finish a fit whose function returned a negative status. */
void pool_stop(Pool *pool, Fit *fit, int status);

#endif /* PYMINPACK_DRIVERS_POOL_H */
