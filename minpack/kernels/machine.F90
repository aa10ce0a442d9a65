module kernels_machine
!! The constants of machine.h, in double precision.
use, intrinsic :: iso_c_binding, only: dp => c_double
#include "machine.h"
implicit none (type, external)
private

real(dp), parameter, public :: epsmch = EPSMCH !! the machine precision
real(dp), parameter, public :: safety = SAFETY !! how much of a norm has to be left
real(dp), parameter, public :: smallest_medium = SMALLEST_MEDIUM
    !! components below are small for `enorm_`
real(dp), parameter, public :: largest_medium = LARGEST_MEDIUM
    !! those above, over their number, are large for it

end module kernels_machine
