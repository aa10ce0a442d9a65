/* The fits that are under way in lockstep: each in a slot, which the next fit
 * takes over when one is finished. */
#ifndef PYMINPACK_DRIVERS_POOL_H
#define PYMINPACK_DRIVERS_POOL_H

#include "drivers/table.h"
#include "fit/finite.h"
#include "fit/batched.h"
#include "minpack.h"

#ifdef PYMINPACK_BLOCKED

typedef struct {
    LmState state;
    Guard guard;
    npy_intp fit;
    int nfev, njev;
    int finite;           /* whether the residuals last answered are */
    double *x, *fvec;     /* the best point */
    double *trial, *step; /* the point under trial */
    double *ftrial;
    double *fjac, *steps; /* m by n, and how far x is displaced for it */
    double *diag, *qtf, *work;
    double *r; /* NULL, or the triangle of the Jacobian by blocks */
    int *ipvt;
} Slot;

typedef struct {
    Slot *slots;    /* owned: `used` of them hold a fit */
    double *memory; /* owned: what the slots point to */
    npy_intp size;
    npy_intp used;
    npy_intp next; /* the first fit that has not begun, */
    npy_intp end;  /* and where those that may begin end */
    npy_intp done; /* fits that are finished */
    int m;
    int differences;       /* the Jacobian is by differences */
    int isa;               /* of the work by blocks, */
    int ldr;               /* and the leading dimension of r; 0: none */
    double *spare;         /* of memory: work that the slots share */
    const double **points; /* owned; NULL, or where the columns of differences
                              are that become a triangle */
    Lanes lanes;
    Slot *group[LANES_MOST]; /* slots whose Jacobians wait for company, */
    int grouped;             /* and how many these are */
} Slots;

/* Make `size` slots for fits of m residuals, 0: as many as suit the caches.
 * None holds a fit, and fits may begin where `end` is moved on. `slots` is all
 * zero before, but for `differences`; slots_clear undoes it, also after a
 * failure. 0, or -1 with an exception. */
int slots_open(Slots *slots, const Fits *fits, int m, npy_intp size);

void slots_clear(Slots *slots);

/* See to it that every slot waits for something that can be evaluated: a fit
 * that cannot go on is finished, and the next ones take the place of those
 * that are. */
void slots_settle(Slots *slots, Fits *fits);

/* Put the next fit into a slot whose fit is finished: whether there is one. */
int slots_refill(Slots *slots, const Fits *fits, Slot *slot);

/* How many slots go together best for fits of m residuals. */
int slots_together(const Fits *fits, int m);

/* Whether the trial point of a slot can be evaluated; if not, its fit is
 * finished. */
int slots_may_try(Slots *slots, Fits *fits, Slot *slot);

/* How many points the residuals of a slot are wanted at. */
int slots_points(const Slots *slots, const Slot *slot);

/* Whether the user's Jacobian of a slot is wanted. */
int slots_wants_jacobian(const Slots *slots, const Slot *slot);

/* Go on with a slot whose answer has come. Where that was a Jacobian it may
 * wait for those of others. 0, or -1 where memory is lacking. */
int slots_advance(Slots *slots, Fits *fits, Slot *slot);

/* Let no Jacobian wait any longer. */
void slots_flush(Slots *slots, Fits *fits);

/* Finish a slot whose function returned a negative status. */
void slots_stop(Slots *slots, Fits *fits, Slot *slot, int status);

#endif

#endif /* PYMINPACK_DRIVERS_POOL_H */
