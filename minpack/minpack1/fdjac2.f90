module fdjac2
!! The Jacobian by forward differences.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use callbacks, only: residual_callback
use lm_differences_mod, only: difference_root, difference_step, lm_quotient
implicit none (type, external)
private
public :: fdjac2_

contains

subroutine fdjac2_(fcn, m, n, x, fvec, fjac, ldfjac, iflag, epsfcn, wa) bind(c, name="fdjac2_")
!! Forward-difference approximation to the m by n Jacobian of the residuals at x
!! (user guide, section 2.4).
!!
!! The step for variable j is sqrt(max(epsfcn, epsmch)) * |x(j)|, or the root itself where x(j) is
!! zero. The residuals are evaluated n times, variables in order.
    procedure(residual_callback) :: fcn !! the residuals; called with the `iflag` given here
    integer(ip), intent(in) :: m !! number of residuals
    integer(ip), intent(in) :: n !! number of variables
    integer(ip), intent(in) :: ldfjac !! leading dimension of `fjac`, at least m
    real(dp), intent(in) :: fvec(m) !! the residuals at x
    real(dp), intent(in) :: epsfcn
        !! relative error of the residuals; below the machine precision it counts as that
    real(dp), intent(inout) :: x(n)
        !! the point; on exit the same, but if fcn stopped the solver, where it did
    integer(ip), intent(inout) :: iflag !! on exit negative if fcn made it so
    real(dp), intent(inout) :: fjac(ldfjac, n) !! the Jacobian
    real(dp), intent(inout) :: wa(m) !! work: the residuals at the displaced point

    real(dp) :: root
    real(dp) :: h
    real(dp) :: xj
    integer(ip) :: j

    root = difference_root(epsfcn)
    do j = 1, n
        xj = x(j)
        h = difference_step(xj, root)
        x(j) = xj + h
        call fcn(m, n, x, wa, iflag)
        if (iflag < 0) return
        x(j) = xj
        fjac(1:m, j) = wa
        call lm_quotient(m, fvec, h, fjac(1, j))
    end do
end subroutine fdjac2_

end module fdjac2
