module lm_iteration
!! The Levenberg-Marquardt iteration, once for every driver.
!!
!! The iteration never calls the user's function. It stops where it needs a value, says which in
!! `state%request`, and goes on when `lm_advance` is called with the answer in place:
!!
!!     call lm_start(state, ...)
!!     do while (state%request /= finished)
!!         select case (state%request)
!!         case (want_residual); fvec = f(x)
!!         case (want_jacobian); fjac = J(x)
!!         case (want_trial);    ftrial = f(trial)
!!         end select
!!         call lm_advance(state, ...)
!!     end do
!!
!! All that must outlive a request is in the state or in the arrays that the driver owns, so any
!! number of fits can be under way at once. A driver that cannot answer just leaves the loop.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use enorm, only: enorm_
use extrema, only: larger, smaller
use lm_factors, only: factor_jacobian, factor_triangle
use lm_fit, only: lm_state, lm_ask, finished, want_residual, want_jacobian, want_trial
use lm_model, only: scaled_gradient_norm
use lm_trial, only: judge
use lmpar, only: find_parameter
use qr_blocked, only: qr_spare
implicit none (type, external)
private
public :: lm_advance, lm_proceed, lm_resume

contains

pure subroutine lm_advance(state, m, n, x, fvec, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, &
                           ftrial) bind(c, name="lm_advance")
!! Take the answer to the last request and go on to the next one (More 1978, section 7,
!! algorithm 7.1).

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of residuals
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit
    real(dp), intent(inout) :: x(n)
        !! shape (n); the best point so far
    real(dp), intent(inout) :: fvec(m)
        !! shape (m); the residuals at x
    real(dp), intent(inout) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); the Jacobian as an answer; afterwards its factors: R in the upper
        !! triangle
    real(dp), intent(inout) :: diag(n)
        !! shape (n); the diagonal of D
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); the permutation of the factorisation
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); the first n components of Q'*f(x)
    real(dp), intent(inout) :: step(n)
        !! shape (n); the step p under trial
    real(dp), intent(inout) :: trial(n)
        !! shape (n); x + p
    real(dp), intent(inout) :: work(n)
        !! shape (n); free between requests
    real(dp), intent(inout) :: ftrial(m)
        !! shape (m); the residuals at x + p as an answer; otherwise free

    ! Locals
    integer(ip) :: iter

    select case (state%request)
    case (want_residual)
        call take_residuals(state, enorm_(m, fvec))

    case (want_jacobian)
        call factor_jacobian(m, n, fvec, fjac, ldfjac, ipvt, qtf, step, trial, work, ftrial)
        call use_factors(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, ftrial)

    case (want_trial)
        iter = state%iter
        call take_trial(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, ftrial, &
                        enorm_(m, ftrial))
        ! Only a rejected trial has made use of the room for the next one's residuals.
        if (state%iter /= iter) fvec = ftrial

    case default
        state%request = finished
    end select
end subroutine lm_advance

pure subroutine lm_proceed(state, n, x, fnorm, r, ldr, diag, ipvt, qtf, step, trial, work, more, &
                           isa, spare) bind(c, name="lm_proceed")
!! `lm_advance` for a driver of large problems, which keeps the residuals to itself and tells their
!! norm, and answers with a triangle in place of a Jacobian: R of A = Q*R without pivoting, which
!! has its norms and products, and Q'*f(x). The trial point was accepted if `state%iter` has grown.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    real(dp), intent(in) :: fnorm
        !! the norm of the residuals as an answer, at x or at x + p; otherwise ignored
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    integer(ip), intent(in) :: isa
        !! the instruction set for work by blocks

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit
    real(dp), intent(inout) :: x(n)
        !! shape (n); the best point so far
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); the triangle as an answer; afterwards R of the factorisation with pivots
    real(dp), intent(inout) :: diag(n)
        !! shape (n); the diagonal of D
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); the permutation of the factorisation
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); what belongs to the triangle as an answer; afterwards the first n components
        !! of Q'*f(x)
    real(dp), intent(inout) :: step(n)
        !! shape (n); the step p under trial
    real(dp), intent(inout) :: trial(n)
        !! shape (n); x + p; free while the Jacobian is asked for
    real(dp), intent(inout) :: work(n)
        !! shape (n); free between requests
    real(dp), intent(inout) :: more(n)
        !! shape (n); free between requests
    real(dp), intent(inout) :: spare(qr_spare(n))
        !! shape (qr_spare(n)); free between requests

    select case (state%request)
    case (want_residual)
        call take_residuals(state, fnorm)

    case (want_jacobian)
        call factor_triangle(isa, n, r, ldr, ipvt, qtf, step, trial, work, spare)
        call use_factors(state, n, x, r, ldr, diag, ipvt, qtf, step, trial, work, more, isa, spare)

    case (want_trial)
        call take_trial(state, n, x, r, ldr, diag, ipvt, qtf, step, trial, work, more, fnorm, isa, &
                        spare)

    case default
        state%request = finished
    end select
end subroutine lm_proceed

pure subroutine lm_resume(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, ftrial) &
    bind(c, name="lm_resume")
!! `lm_advance` for a Jacobian that the caller has factored himself.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`
    real(dp), intent(in) :: x(n)
        !! shape (n); the point
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: qtf(n)
        !! shape (n); the first n components of Q'*f(x)

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit
    real(dp), intent(inout) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); R in the upper triangle
    real(dp), intent(inout) :: diag(n)
        !! shape (n); the diagonal of D
    real(dp), intent(inout) :: trial(n)
        !! shape (n); on entry the norms of the Jacobian's columns, on exit x + p

    ! Outputs
    real(dp), intent(inout) :: step(n)
        !! shape (n); the step p
    real(dp), intent(inout) :: work(n)
        !! shape (n); free between requests
    real(dp), intent(inout) :: ftrial(n)
        !! shape (n); work: the room for the residuals is free until they come

    call use_factors(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, ftrial)
end subroutine lm_resume

pure subroutine use_factors(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, ftrial, &
                            isa, spare)
!! Go on to the next trial point once the Jacobian has been factored, or finish.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`
    integer(ip), intent(in), optional :: isa
        !! given: the instruction set for work by blocks
    real(dp), intent(in) :: x(n)
        !! shape (n); the point
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: qtf(n)
        !! shape (n); the first n components of Q'*f(x)

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit
    real(dp), intent(inout) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); R in the upper triangle
    real(dp), intent(inout) :: diag(n)
        !! shape (n); the diagonal of D
    real(dp), intent(inout) :: trial(n)
        !! shape (n); on entry the norms of the Jacobian's columns, on exit x + p

    ! Outputs
    real(dp), intent(inout) :: step(n)
        !! shape (n); the step p
    real(dp), intent(inout) :: work(n)
        !! shape (n); free between requests
    real(dp), intent(inout) :: ftrial(n)
        !! shape (n); work: the room for the residuals is free until they come
    real(dp), intent(inout), optional :: spare(qr_spare(n))
        !! shape (qr_spare(n)); work, to be given with `isa`

    call digest_factors(state, n, x, fjac, ldfjac, diag, ipvt, qtf, trial, work)
    if (state%info /= 0) then
        state%request = finished
        return
    end if
    call propose(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, ftrial, isa, spare)
end subroutine use_factors

pure subroutine take_residuals(state, fnorm)
!! Go on with the residuals at the start.

    ! Inputs
    real(dp), intent(in) :: fnorm
        !! their norm

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit

    state%fnorm = fnorm
    call lm_ask(state, want_jacobian)
end subroutine take_residuals

pure subroutine take_trial(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, more, &
                           fnorm1, isa, spare)
!! Go on with the residuals at the trial point: finish, ask for the Jacobian there, or try another.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`
    integer(ip), intent(in), optional :: isa
        !! given: the instruction set for work by blocks
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: qtf(n)
        !! shape (n); the first n components of Q'*f(x)
    real(dp), intent(in) :: diag(n)
        !! shape (n); the diagonal of D
    real(dp), intent(in) :: fnorm1
        !! the norm of the residuals at the trial point

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit
    real(dp), intent(inout) :: x(n)
        !! shape (n); the point; on exit x + p if the step was accepted
    real(dp), intent(inout) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); R in the upper triangle; below it `lmpar_` leaves its own
    real(dp), intent(inout) :: step(n)
        !! shape (n); the step p, on exit perhaps another
    real(dp), intent(inout) :: trial(n)
        !! shape (n); x + p

    ! Outputs
    real(dp), intent(inout) :: work(n)
        !! shape (n); work
    real(dp), intent(inout) :: more(n)
        !! shape (n); work, where the step was rejected
    real(dp), intent(inout), optional :: spare(qr_spare(n))
        !! shape (qr_spare(n)); work, to be given with `isa`

    ! Locals
    logical :: accepted

    call judge(state, n, x, fjac, ldfjac, diag, ipvt, step, trial, work, fnorm1, accepted)
    if (state%info /= 0) then
        state%request = finished
    else if (accepted) then
        call lm_ask(state, want_jacobian)
    else
        call propose(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, more, isa, &
                     spare)
    end if
end subroutine take_trial

pure subroutine digest_factors(state, n, x, fjac, ldfjac, diag, ipvt, qtf, acnorm, work)
!! Update the scaling from the Jacobian's norms (More 1978, section 6) and test the gradient.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`
    real(dp), intent(in) :: x(n)
        !! shape (n); the point
    real(dp), intent(in) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); R in the upper triangle
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: qtf(n)
        !! shape (n); the first n components of Q'*f(x)
    real(dp), intent(in) :: acnorm(n)
        !! shape (n); the norms of the Jacobian's columns

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit; `info` becomes 4 when the gradient test holds
    real(dp), intent(inout) :: diag(n)
        !! shape (n); the diagonal of D

    ! Outputs
    real(dp), intent(inout) :: work(n)
        !! shape (n); work

    ! Locals
    integer(ip) :: j

    if (state%iter == 1) then
        if (state%mode /= 2) then
            do j = 1, n
                diag(j) = acnorm(j)
                if (acnorm(j) == 0) diag(j) = 1
            end do
        end if
        work = diag * x
        state%xnorm = enorm_(n, work)
        state%delta = state%factor * state%xnorm
        if (state%delta == 0) state%delta = state%factor
    end if

    state%gnorm = scaled_gradient_norm(n, fjac, ldfjac, ipvt, qtf, acnorm, state%fnorm)
    if (state%gnorm <= state%gtol) then
        state%info = 4
        return
    end if
    if (state%mode /= 2) diag = larger(diag, acnorm)
end subroutine digest_factors

pure subroutine propose(state, n, x, fjac, ldfjac, diag, ipvt, qtf, step, trial, work, ftrial, &
                        isa, spare)
!! Find the step within the bound and ask for the residuals at its end.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`
    integer(ip), intent(in), optional :: isa
        !! given: the instruction set for work by blocks
    real(dp), intent(in) :: x(n)
        !! shape (n); the point
    real(dp), intent(in) :: diag(n)
        !! shape (n); the diagonal of D
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: qtf(n)
        !! shape (n); the first n components of Q'*f(x)

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit
    real(dp), intent(inout) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); R in the upper triangle; below it `lmpar_` leaves its own

    ! Outputs
    real(dp), intent(inout) :: step(n)
        !! shape (n); the step p
    real(dp), intent(inout) :: trial(n)
        !! shape (n); x + p
    real(dp), intent(inout) :: work(n)
        !! shape (n); work
    real(dp), intent(inout) :: ftrial(n)
        !! shape (n); work: the room for the residuals is free until they come
    real(dp), intent(inout), optional :: spare(qr_spare(n))
        !! shape (qr_spare(n)); work, to be given with `isa`

    call find_parameter(n, fjac, ldfjac, ipvt, diag, qtf, state%delta, state%par, step, trial, &
                        work, ftrial, isa, spare)
    step = -step
    trial = x + step
    work = diag * step
    state%pnorm = enorm_(n, work)
    ! The first bound was a guess from x alone.
    if (state%iter == 1) state%delta = smaller(state%delta, state%pnorm)
    call lm_ask(state, want_trial)
end subroutine propose

end module lm_iteration
