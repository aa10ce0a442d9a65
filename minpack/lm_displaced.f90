module lm_displaced
!! The Jacobian by forward differences for drivers that evaluate the residuals at all displaced
!! points at once. The steps and quotients are those of `fdjac2_`.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use fdjac2, only: difference_step
implicit none (type, external)
private
public :: lm_displace, lm_quotients

contains

pure subroutine lm_displace(n, x, epsfcn, points, steps) bind(c, name="lm_displace")
!! The points: each is x with one variable displaced.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    real(dp), intent(in) :: x(n)
        !! shape (n); the point
    real(dp), intent(in) :: epsfcn
        !! relative error of the residuals; below the machine precision it counts as that

    ! Outputs
    real(dp), intent(inout) :: points(n, n)
        !! shape (n, n); a column for each point
    real(dp), intent(inout) :: steps(n)
        !! shape (n); how far each variable is displaced

    ! Locals
    integer(ip) :: j

    do j = 1, n
        points(:, j) = x
        steps(j) = difference_step(x(j), epsfcn)
        points(j, j) = x(j) + steps(j)
    end do
end subroutine lm_displace

pure subroutine lm_quotients(m, n, fvec, steps, fjac) bind(c, name="lm_quotients")
!! The quotients of differences.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of residuals
    integer(ip), intent(in) :: n
        !! number of variables
    real(dp), intent(in) :: fvec(m)
        !! shape (m); the residuals at the point
    real(dp), intent(in) :: steps(n)
        !! shape (n); how far each variable is displaced

    ! In-outputs
    real(dp), intent(inout) :: fjac(m, n)
        !! shape (m, n); on entry the residuals at the displaced points, on exit the Jacobian

    ! Locals
    integer(ip) :: j

    do j = 1, n
        fjac(:, j) = (fjac(:, j) - fvec) / steps(j)
    end do
end subroutine lm_quotients

end module lm_displaced
