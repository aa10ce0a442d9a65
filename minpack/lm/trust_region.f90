module lm_trial
!! What comes of a trial point: whether it is accepted, what the step bound becomes, and whether the
!! fit is finished.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use dpmpar, only: epsmch
use enorm, only: enorm_
use extrema, only: smaller
use lm_fit, only: lm_state
use lm_model, only: predict_reduction
implicit none (type, external)
private
public :: judge

contains

pure subroutine judge(state, n, x, fjac, ldfjac, diag, ipvt, step, trial, work, fnorm1, accepted)
!! Compare the reduction that came with the one that was predicted; move the bound and perhaps x,
!! and test for convergence.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`
    real(dp), intent(in) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); R in the upper triangle
    real(dp), intent(in) :: diag(n)
        !! shape (n); the diagonal of D
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: step(n)
        !! shape (n); the step p
    real(dp), intent(in) :: fnorm1
        !! the norm of the residuals at x + p

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit
    real(dp), intent(inout) :: x(n)
        !! shape (n); the point; on exit x + p if the step was accepted
    real(dp), intent(inout) :: trial(n)
        !! shape (n); x + p; destroyed

    ! Outputs
    real(dp), intent(inout) :: work(n)
        !! shape (n); work
    logical, intent(out) :: accepted
        !! whether x has moved

    ! Locals
    real(dp), parameter :: tenth = 0.1_dp, acceptable = 0.0001_dp
    real(dp) :: actred, prered, ratio
    real(dp) :: dirder

    ! Relative reductions of the sum of squares; a norm ten times larger counts as -1, unsquared.
    actred = -1
    if (tenth * fnorm1 < state%fnorm) actred = 1 - (fnorm1 / state%fnorm)**2
    call predict_reduction(n, fjac, ldfjac, ipvt, step, state%par, state%pnorm, state%fnorm, work, &
                           prered, dirder)
    ratio = 0
    if (prered /= 0) ratio = actred / prered

    call move_bound(state, fnorm1, actred, dirder, ratio)

    ! A NaN, which overflow can make of the prediction, passes for an accepted step.
    accepted = .not. ratio < acceptable
    if (accepted) then
        x = trial
        trial = diag * x
        state%xnorm = enorm_(n, trial)
        state%fnorm = fnorm1
        state%iter = state%iter + 1
    end if

    call test_convergence(state, actred, prered, ratio)
end subroutine judge

pure subroutine move_bound(state, fnorm1, actred, dirder, ratio)
!! Shrink the bound after a poor step, widen it after a good one (More 1978, section 4).

    ! Inputs
    real(dp), intent(in) :: fnorm1
        !! the norm of the residuals at the trial point
    real(dp), intent(in) :: actred
        !! the actual relative reduction
    real(dp), intent(in) :: dirder
        !! the directional derivative
    real(dp), intent(in) :: ratio
        !! actual by predicted reduction

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit: `delta` and `par` change

    ! Locals
    real(dp), parameter :: tenth = 0.1_dp
    real(dp) :: shrink

    if (ratio > 0.25_dp) then
        if (state%par == 0 .or. ratio >= 0.75_dp) then
            state%delta = state%pnorm / 0.5_dp
            state%par = 0.5_dp * state%par
        end if
        return
    end if

    ! Where the sum of squares grew: the minimum of the parabola through the values at both ends and
    ! the derivative at x.
    if (actred >= 0) then
        shrink = 0.5_dp
    else
        shrink = 0.5_dp * dirder / (dirder + 0.5_dp * actred)
    end if
    if (tenth * fnorm1 >= state%fnorm .or. shrink < tenth) shrink = tenth
    state%delta = shrink * smaller(state%delta, state%pnorm / tenth)
    state%par = state%par / shrink
end subroutine move_bound

pure subroutine test_convergence(state, actred, prered, ratio)
!! Set `info` when the tolerances are met (user guide, section 2.3), when the
!! evaluations are used up, or when rounding leaves no room for progress. Later tests take
!! precedence.

    ! Inputs
    real(dp), intent(in) :: actred
        !! the actual relative reduction
    real(dp), intent(in) :: prered
        !! the predicted one
    real(dp), intent(in) :: ratio
        !! their ratio

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit

    ! Locals
    logical :: small_reduction, small_step

    small_reduction = abs(actred) <= state%ftol .and. prered <= state%ftol .and. 0.5_dp * ratio <= 1
    small_step = state%delta <= state%xtol * state%xnorm
    if (small_reduction) state%info = 1
    if (small_step) state%info = 2
    if (small_reduction .and. small_step) state%info = 3
    if (state%info /= 0) return

    if (state%nfev >= state%maxfev) state%info = 5
    if (abs(actred) <= epsmch .and. prered <= epsmch .and. 0.5_dp * ratio <= 1) state%info = 6
    if (state%delta <= epsmch * state%xnorm) state%info = 7
    if (state%gnorm <= epsmch) state%info = 8
end subroutine test_convergence

end module lm_trial
