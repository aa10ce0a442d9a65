module kernels_tuning
!! The numbers of tuning.h that Fortran needs; there it is said what they are.
use, intrinsic :: iso_c_binding, only: ip => c_int
#include "tuning.h"
implicit none (type, external)
private

integer(ip), parameter, public :: row_multiple = ROW_MULTIPLE !! rows come in multiples of it
integer(ip), parameter, public :: cache_line = CACHE_LINE !! elements in a line of the cache
integer(ip), parameter, public :: narrow = NARROW, middle = MIDDLE, large = LARGE
    !! numbers of columns where something changes
integer(ip), parameter, public :: block_rows_narrow = BLOCK_ROWS_NARROW, &
                                  block_rows_middle = BLOCK_ROWS_MIDDLE, &
                                  block_rows_wide = BLOCK_ROWS_WIDE, &
                                  block_rows_damped = BLOCK_ROWS_DAMPED
    !! rows that are reduced at a time
integer(ip), parameter, public :: panel_middle = PANEL_MIDDLE, panel_large = PANEL_LARGE, &
                                  panel_wide = PANEL_WIDE, panel_damped = PANEL_DAMPED, &
                                  panel_pivoted = PANEL_PIVOTED
    !! columns that are reduced before the others are touched
integer(ip), parameter, public :: rows_trailing = ROWS_TRAILING
    !! rows of a trailing matrix that are updated at a time
integer(ip), parameter, public :: triangle_panels = TRIANGLE_PANELS
    !! the least order of a triangle that is factored by panels

end module kernels_tuning
