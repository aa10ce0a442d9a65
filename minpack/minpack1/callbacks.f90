module callbacks
!! The forms of the user's function: FCN in the user guide (section 2.6).
!!
!! Every argument goes by reference and nothing is copied on the way: `m` arrives in FCN at the
!! very address that the caller gave to the solver. Callers rely on it to find their own data.
!!
!! FCN leaves `iflag` alone, or sets it negative to stop the solver, which then returns that value
!! as `info`.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: residual_callback, jacobian_callback

abstract interface
    subroutine residual_callback(m, n, x, fvec, iflag) bind(c)
    !! FCN of `lmdif_` and `fdjac2_`: the residuals.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in) :: m !! number of residuals
        integer(ip), intent(in) :: n !! number of variables
        real(dp), intent(in) :: x(n) !! the point
        real(dp), intent(inout) :: fvec(m)
            !! on exit the residuals at `x`, unchanged when `iflag` is 0
        integer(ip), intent(inout) :: iflag
            !! 1: residuals wanted; 2: the same, for a difference; 0: look at `x` and `fvec`, change
            !! nothing
    end subroutine residual_callback

    subroutine jacobian_callback(m, n, x, fvec, fjac, ldfjac, iflag) bind(c)
    !! FCN of `lmder_`: the residuals or their Jacobian.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in) :: m !! number of residuals
        integer(ip), intent(in) :: n !! number of variables
        integer(ip), intent(in) :: ldfjac !! leading dimension of `fjac`, at least m
        real(dp), intent(in) :: x(n) !! the point
        real(dp), intent(inout) :: fvec(m)
            !! on exit with `iflag` 1 the residuals at `x`, otherwise unchanged
        real(dp), intent(inout) :: fjac(ldfjac, n)
            !! on exit with `iflag` 2 the Jacobian at `x`, element (i, j) being the derivative of
            !! residual i by variable j; otherwise unchanged
        integer(ip), intent(inout) :: iflag
            !! 1: residuals wanted; 2: Jacobian wanted; 0: look at `x`, `fvec` and `fjac`, change
            !! nothing
    end subroutine jacobian_callback
end interface

end module callbacks
