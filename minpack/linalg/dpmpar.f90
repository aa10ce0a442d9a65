module dpmpar
!! The machine constants of MINPACK.
!!
!! The values are the decimal literals that MINPACK-1 published for IEEE double precision, and not
!! `epsilon`, `tiny` and `huge`: they differ from those in the thirteenth digit, and every
!! difference step and every convergence test would inherit the difference.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use kernels_machine, only: epsmch
implicit none (type, external)
private
public :: epsmch

real(dp), parameter, public :: dwarf = 2.22507385852e-308_dp !! the smallest magnitude
real(dp), parameter, public :: giant = 1.79769313485e+308_dp !! the largest magnitude

public :: dpmpar_

contains

pure real(dp) function dpmpar_(i) bind(c, name="dpmpar_")
!! The machine constant number `i` (user guide, section 1.7).
    integer(ip), intent(in) :: i
        !! 1: machine precision; 2: smallest magnitude; any other: largest magnitude

    select case (i)
    case (1)
        dpmpar_ = epsmch
    case (2)
        dpmpar_ = dwarf
    case default
        dpmpar_ = giant
    end select
end function dpmpar_

end module dpmpar
