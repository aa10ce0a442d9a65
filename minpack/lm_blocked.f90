module lm_blocked
!! Levenberg-Marquardt with a Jacobian that is factored by blocks: `lmder_` and `lmdif_` for large
!! problems.
!!
!! A triangle R with Q'*f stands for the Jacobian wherever MINPACK takes the Jacobian itself: it has
!! the same norms and products of columns, so that pivots, scaling and steps are the same but for
!! rounding.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use callbacks, only: residual_callback, triangle_callback
use fdjac2, only: difference_step
use lm_fit, only: lm_state, lm_start, finished, want_residual, want_jacobian
use lm_iteration, only: lm_advance
use qr_blocked, only: blocked_spare, blocked_tall_differences, blocked_tall_end, blocked_tall_start
implicit none (type, external)
private
public :: lmder_blocked, lmdif_blocked, lm_reduce

contains

subroutine lmder_blocked(fcn, isa, m, n, x, fvec, ftol, xtol, gtol, maxfev, diag, mode, factor, &
                         info, r, ldr, ipvt, qtf, wa, ftrial, spare) bind(c, name="lmder_blocked")
!! `lmder_` with a function that gives the triangle in place of the Jacobian.

    ! Inputs
    procedure(triangle_callback) :: fcn
        !! the residuals, and the triangle of their Jacobian
    integer(ip), intent(in) :: isa
        !! the instruction set, as `blocked_tall_rows` takes it
    integer(ip), intent(in) :: m
        !! number of residuals, at least n
    integer(ip), intent(in) :: n
        !! number of variables, positive
    real(dp), intent(in) :: ftol
        !! relative error wanted in the sum of squares, >= 0
    real(dp), intent(in) :: xtol
        !! relative error wanted in x, >= 0
    real(dp), intent(in) :: gtol
        !! orthogonality wanted between the residuals and the Jacobian's columns, >= 0
    integer(ip), intent(in) :: maxfev
        !! limit of the evaluations of the residuals, positive; tested after each trial point
    integer(ip), intent(in) :: mode
        !! 1: scale the variables by the Jacobian's column norms; 2: by `diag`
    real(dp), intent(in) :: factor
        !! the first step bound in units of ||D*x||, positive; 0.1 to 100 is usual
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`: a multiple of 16, at least n

    ! In-outputs
    real(dp), intent(inout) :: x(n)
        !! shape (n); on entry the start, on exit the best point
    real(dp), intent(inout) :: diag(n)
        !! shape (n); the diagonal of D: on entry with mode 2 positive, otherwise set here

    ! Outputs
    real(dp), intent(inout) :: fvec(m)
        !! shape (m); the residuals at x
    integer(ip), intent(out) :: info
        !! as for `lmder_`
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the upper triangle of the first n rows is R of the last Jacobian,
        !! J*P = Q*R
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); column j of J*P is column ipvt(j) of J
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); the first n components of Q'*fvec, fvec being that of the last Jacobian
    real(dp), intent(inout) :: wa(3 * n)
        !! shape (3*n); work
    real(dp), intent(inout) :: ftrial(m)
        !! shape (m); work
    real(dp), intent(inout) :: spare(blocked_spare(n))
        !! shape (blocked_spare(n)); work

    ! Locals
    type(lm_state) :: state
    integer(ip) :: iflag
    integer(ip), parameter :: jacobian_cost = 0

    call lm_start(state, m, n, m, ftol, xtol, gtol, maxfev, diag, mode, factor, jacobian_cost)
    iflag = 0
    do while (state%request /= finished)
        select case (state%request)
        case (want_residual)
            iflag = 1
            call fcn(m, n, x, fvec, r, ldr, iflag)
        case (want_jacobian)
            iflag = 2
            call fcn(m, n, x, fvec, r, ldr, iflag)
            qtf = r(1:n, n + 1)
        case default
            iflag = 1
            call fcn(m, n, wa(n + 1), ftrial, r, ldr, iflag)
        end select
        if (iflag < 0) exit
        call lm_advance(state, m, n, x, fvec, r, ldr, diag, ipvt, qtf, wa(1), wa(n + 1), &
                        wa(2 * n + 1), ftrial, isa, spare)
    end do

    info = state%info
    if (iflag < 0) info = iflag
end subroutine lmder_blocked

subroutine lmdif_blocked(fcn, isa, m, n, x, fvec, ftol, xtol, gtol, maxfev, epsfcn, diag, mode, &
                         factor, info, fjac, r, ldr, ipvt, qtf, wa, ftrial, spare) &
    bind(c, name="lmdif_blocked")
!! `lmdif_`, with the differences reduced to a triangle.

    ! Inputs
    procedure(residual_callback) :: fcn
        !! the residuals
    integer(ip), intent(in) :: isa
        !! the instruction set, as `blocked_tall_rows` takes it
    integer(ip), intent(in) :: m
        !! number of residuals, at least n
    integer(ip), intent(in) :: n
        !! number of variables, positive
    real(dp), intent(in) :: ftol
        !! relative error wanted in the sum of squares, >= 0
    real(dp), intent(in) :: xtol
        !! relative error wanted in x, >= 0
    real(dp), intent(in) :: gtol
        !! orthogonality wanted between the residuals and the Jacobian's columns, >= 0
    integer(ip), intent(in) :: maxfev
        !! limit of the evaluations of the residuals, positive; tested after each trial point
    real(dp), intent(in) :: epsfcn
        !! relative error of the residuals, from which the steps follow as those of `fdjac2_` do
    integer(ip), intent(in) :: mode
        !! 1: scale the variables by the Jacobian's column norms; 2: by `diag`
    real(dp), intent(in) :: factor
        !! the first step bound in units of ||D*x||, positive; 0.1 to 100 is usual
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`: a multiple of 16, at least n

    ! In-outputs
    real(dp), intent(inout) :: x(n)
        !! shape (n); on entry the start, on exit the best point
    real(dp), intent(inout) :: diag(n)
        !! shape (n); the diagonal of D: on entry with mode 2 positive, otherwise set here

    ! Outputs
    real(dp), intent(inout) :: fvec(m)
        !! shape (m); the residuals at x
    integer(ip), intent(out) :: info
        !! as for `lmder_`
    real(dp), intent(inout) :: fjac(m, n)
        !! shape (m, n); work: the residuals at the displaced points
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the upper triangle of the first n rows is R of the last Jacobian,
        !! J*P = Q*R
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); column j of J*P is column ipvt(j) of J
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); the first n components of Q'*fvec, fvec being that of the last Jacobian
    real(dp), intent(inout) :: wa(3 * n)
        !! shape (3*n); work
    real(dp), intent(inout) :: ftrial(m)
        !! shape (m); work
    real(dp), intent(inout) :: spare(blocked_spare(n))
        !! shape (blocked_spare(n)); work

    ! Locals
    type(lm_state) :: state
    integer(ip) :: iflag

    call lm_start(state, m, n, m, ftol, xtol, gtol, maxfev, diag, mode, factor, n)
    iflag = 0
    do while (state%request /= finished)
        select case (state%request)
        case (want_residual)
            iflag = 1
            call fcn(m, n, x, fvec, iflag)
        case (want_jacobian)
            iflag = 2
            call displace(fcn, m, n, x, epsfcn, fjac, wa, iflag)
            if (iflag >= 0) call lm_reduce(isa, m, n, fjac, fvec, wa, r, ldr, qtf, spare)
        case default
            iflag = 1
            call fcn(m, n, wa(n + 1), ftrial, iflag)
        end select
        if (iflag < 0) exit
        call lm_advance(state, m, n, x, fvec, r, ldr, diag, ipvt, qtf, wa(1), wa(n + 1), &
                        wa(2 * n + 1), ftrial, isa, spare)
    end do

    info = state%info
    if (iflag < 0) info = iflag
end subroutine lmdif_blocked

subroutine displace(fcn, m, n, x, epsfcn, points, steps, iflag)
!! The residuals where one variable after the other is displaced: `fdjac2_` without the quotients.

    ! Inputs
    procedure(residual_callback) :: fcn
        !! the residuals; called with the `iflag` given here
    integer(ip), intent(in) :: m
        !! number of residuals
    integer(ip), intent(in) :: n
        !! number of variables
    real(dp), intent(in) :: epsfcn
        !! relative error of the residuals; below the machine precision it counts as that

    ! In-outputs
    real(dp), intent(inout) :: x(n)
        !! shape (n); the point; on exit the same, but if fcn stopped the solver, where it did
    integer(ip), intent(inout) :: iflag
        !! on exit negative if fcn made it so

    ! Outputs
    real(dp), intent(inout) :: points(m, n)
        !! shape (m, n); the residuals, a column for each variable
    real(dp), intent(inout) :: steps(n)
        !! shape (n); how far each was displaced

    ! Locals
    real(dp) :: xj
    integer(ip) :: j

    do j = 1, n
        xj = x(j)
        steps(j) = difference_step(xj, epsfcn)
        x(j) = xj + steps(j)
        call fcn(m, n, x, points(1, j), iflag)
        if (iflag < 0) return
        x(j) = xj
    end do
end subroutine displace

pure subroutine lm_reduce(isa, m, n, points, fvec, steps, r, ldr, qtf, spare) &
    bind(c, name="lm_reduce")
!! The triangle of the Jacobian. A column of R has its factor, so that the differences themselves
!! can be factored, and only R is divided by the steps.

    ! Inputs
    integer(ip), intent(in) :: isa
        !! the instruction set
    integer(ip), intent(in) :: m
        !! number of residuals
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: points(m, n)
        !! shape (m, n); the residuals at the displaced points
    real(dp), intent(in) :: fvec(m)
        !! shape (m); the residuals
    real(dp), intent(in) :: steps(n)
        !! shape (n); how far each variable was displaced

    ! Outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the triangle
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); the first n components of Q'*fvec
    real(dp), intent(inout) :: spare(blocked_spare(n))
        !! shape (blocked_spare(n)); work

    ! Locals
    integer(ip) :: j

    call blocked_tall_start(n, r, ldr, spare)
    call blocked_tall_differences(isa, m, n, points, fvec, r, ldr, spare)
    call blocked_tall_end(n, r, ldr, spare)
    do j = 1, n
        r(1:j, j) = r(1:j, j) / steps(j)
    end do
    qtf = r(1:n, n + 1)
end subroutine lm_reduce

end module lm_blocked
