/* What MINPACK itself does not see: a NaN or infinity in the Jacobian, or in a point that it takes
 * for an improvement. */
#ifndef PYMINPACK_FIT_FINITE_H
#define PYMINPACK_FIT_FINITE_H

#include "fit/fit.h"

/* Look at the Jacobian before and at the trial point: whether the fit may go on. */
int finite_before_trial(Fit *fit);

/* Keep x and f where the trial point or its residuals are not finite, and they are. 0, or -1 where
 * memory is lacking. */
int finite_after_trial(Fit *fit, int residuals_finite);

/* Make x and f the last that were finite. Whether they were already. */
int finite_restore(Fit *fit);

/* As finite_restore, and whether everything else was finite, too. */
int finite_verdict(Fit *fit);

#endif /* PYMINPACK_FIT_FINITE_H */
