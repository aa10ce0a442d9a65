module lm_displaced
!! The Jacobian by forward differences for drivers that have the residuals at all displaced points
!! before they form it. The steps and quotients are those of `fdjac2_`.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, c_ptr
use fdjac2, only: difference_root, difference_step
use qr_blocked, only: qr_spare, qr_differences, qr_end, qr_start
implicit none (type, external)
private
public :: lm_displace, lm_steps, lm_quotients, lm_reduce

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

    call lm_steps(n, x, epsfcn, steps)
    do j = 1, n
        points(:, j) = x
        points(j, j) = x(j) + steps(j)
    end do
end subroutine lm_displace

pure subroutine lm_steps(n, x, epsfcn, steps) bind(c, name="lm_steps")
!! How far each variable is displaced.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    real(dp), intent(in) :: x(n)
        !! shape (n); the point
    real(dp), intent(in) :: epsfcn
        !! relative error of the residuals; below the machine precision it counts as that

    ! Outputs
    real(dp), intent(inout) :: steps(n)
        !! shape (n); the steps

    ! Locals
    real(dp) :: root
    integer(ip) :: j

    root = difference_root(epsfcn)
    do j = 1, n
        steps(j) = difference_step(x(j), root)
    end do
end subroutine lm_steps

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

pure subroutine lm_reduce(isa, m, n, points, fvec, steps, r, ldr, qtf, spare) &
    bind(c, name="lm_reduce")
!! The triangle that `lm_proceed` takes for the Jacobian. A column of R has the factor of the
!! Jacobian's, so that the differences themselves can be factored, and only R is divided by the
!! steps.

    ! Inputs
    integer(ip), intent(in) :: isa
        !! the instruction set
    integer(ip), intent(in) :: m
        !! number of residuals
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    type(c_ptr), intent(in) :: points(n)
        !! shape (n); where the residuals at the displaced points are, m of them each
    real(dp), intent(in) :: fvec(m)
        !! shape (m); the residuals
    real(dp), intent(in) :: steps(n)
        !! shape (n); how far each variable was displaced

    ! Outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); the first n components of Q'*fvec
    real(dp), intent(inout) :: spare(qr_spare(n))
        !! shape (qr_spare(n)); work

    ! Locals
    integer(ip) :: j

    call qr_start(n, r, spare)
    call qr_differences(isa, m, n, points, fvec, r, spare)
    call qr_end(n, r, spare)
    do j = 1, n
        r(1:j, j) = r(1:j, j) / steps(j)
    end do
    qtf = r(1:n, n + 1)
end subroutine lm_reduce

end module lm_displaced
