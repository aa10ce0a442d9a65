module chkder
!! A check of derivatives that a user wrote by hand.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use dpmpar, only: epsmch
implicit none (type, external)
private
public :: chkder_

contains

pure subroutine chkder_(m, n, x, fvec, fjac, ldfjac, xp, fvecp, mode, err) bind(c, name="chkder_")
!! Compare a Jacobian with the change of the functions between two neighbouring points
!! (user guide, section 1.3). Call it with mode 1 for the neighbour, evaluate the functions at both
!! points and the Jacobian at the first, and call it with mode 2 for the verdict.
    integer(ip), intent(in) :: m !! number of functions
    integer(ip), intent(in) :: n !! number of variables
    integer(ip), intent(in) :: ldfjac !! leading dimension of `fjac`, at least m
    integer(ip), intent(in) :: mode !! 1: make the neighbour; any other: judge
    real(dp), intent(in) :: x(n) !! the point
    real(dp), intent(in) :: fvec(m) !! mode 2: the functions at `x`
    real(dp), intent(in) :: fjac(ldfjac, n) !! mode 2: the Jacobian at `x`
    real(dp), intent(in) :: fvecp(m) !! mode 2: the functions at `xp`
    real(dp), intent(inout) :: xp(n) !! mode 1: on exit the neighbour of `x`
    real(dp), intent(inout) :: err(m)
        !! mode 2: on exit 1 where the gradient of a function is right, 0 where it is wrong, and a
        !! number between where it is doubtful

    real(dp), parameter :: noise = 100 * epsmch
    real(dp) :: eps, epslog
    real(dp) :: mismatch
    integer(ip) :: i, j

    eps = sqrt(epsmch)
    if (mode == 1) then
        do j = 1, n
            xp(j) = eps * abs(x(j))
            if (xp(j) == 0) xp(j) = eps
            xp(j) = x(j) + xp(j)
        end do
        return
    end if

    ! The derivative of each function along the displacement, which has the length |x(j)| * eps.
    epslog = log10(eps)
    err = 0
    do j = 1, n
        if (x(j) == 0) then
            err = err + fjac(1:m, j)
        else
            err = err + abs(x(j)) * fjac(1:m, j)
        end if
    end do

    do i = 1, m
        mismatch = 1
        if (fvec(i) /= 0 .and. fvecp(i) /= 0 .and. &
            abs(fvecp(i) - fvec(i)) >= noise * abs(fvec(i))) then
            mismatch = eps * abs((fvecp(i) - fvec(i)) / eps - err(i)) / &
                       (abs(fvec(i)) + abs(fvecp(i)))
        end if
        err(i) = 1
        if (mismatch > epsmch .and. mismatch < eps) then
            err(i) = (log10(mismatch) - epslog) / epslog
        end if
        if (mismatch >= eps) err(i) = 0
    end do
end subroutine chkder_

end module chkder
