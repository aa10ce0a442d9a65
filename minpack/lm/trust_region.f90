module lm_trust_region_mod
!! What comes of a trial point: whether it is accepted, and what the step bound becomes.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, c_f_pointer
use lm_convergence_mod, only: test_convergence
use enorm, only: enorm_
use extrema, only: smaller
use lm_fit_mod, only: lm_fit
implicit none (type, external)
private
public :: judge

contains

subroutine judge(fit, fnorm1)
!! Compare the reduction that came with the one that was predicted; move the bound and perhaps x,
!! and test for convergence.
    real(dp), intent(in) :: fnorm1 !! the norm of the residuals at the trial point
    type(lm_fit), intent(inout) :: fit !! the fit; `iter` grows where the step is accepted

    real(dp), parameter :: tenth = 0.1_dp, acceptable = 0.0001_dp
    real(dp), pointer, contiguous :: step(:), work(:), r(:, :)
    integer(ip), pointer, contiguous :: ipvt(:)
    real(dp) :: actred, prered, ratio, linear, damped

    call c_f_pointer(fit%step, step, [fit%n])
    call c_f_pointer(fit%work, work, [fit%n])
    call c_f_pointer(fit%r, r, [fit%ldr, fit%n])
    call c_f_pointer(fit%ipvt, ipvt, [fit%n])

    ! Relative reductions of the sum of squares; a norm ten times larger counts as -1, unsquared.
    actred = -1
    if (tenth * fnorm1 < fit%fnorm) actred = 1 - (fnorm1 / fit%fnorm)**2

    ! ||f||**2 - ||f + J*p||**2 = ||J*p||**2 + 2*par*||D*p||**2 (More 1978, section 4).
    call multiply_triangle(fit%n, r, fit%ldr, ipvt, step, work)
    linear = enorm_(fit%n, work) / fit%fnorm
    damped = (sqrt(fit%par) * fit%pnorm) / fit%fnorm
    prered = linear**2 + damped**2 / 0.5_dp
    ratio = 0
    if (prered /= 0) ratio = actred / prered

    call move_bound(fit, fnorm1, actred, -(linear**2 + damped**2), ratio)
    ! A NaN, which overflow can make of the prediction, passes for an accepted step.
    if (.not. ratio < acceptable) call accept(fit, fnorm1)
    call test_convergence(fit, actred, prered, ratio)
end subroutine judge

subroutine accept(fit, fnorm1)
!! Let the trial point be x.
    real(dp), intent(in) :: fnorm1 !! the norm of the residuals there
    type(lm_fit), intent(inout) :: fit !! the fit

    real(dp), pointer, contiguous :: x(:), diag(:), trial(:), work(:)
    integer(ip) :: j

    call c_f_pointer(fit%x, x, [fit%n])
    call c_f_pointer(fit%diag, diag, [fit%n])
    call c_f_pointer(fit%trial, trial, [fit%n])
    call c_f_pointer(fit%work, work, [fit%n])
    do j = 1, fit%n
        x(j) = trial(j)
        work(j) = diag(j) * x(j)
    end do
    fit%xnorm = enorm_(fit%n, work)
    fit%fnorm = fnorm1
    fit%iter = fit%iter + 1
end subroutine accept

pure subroutine multiply_triangle(n, r, ldr, ipvt, step, w)
!! w = R*P'*p, whose norm is that of J*p.
    integer(ip), intent(in) :: n !! number of variables
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n) !! the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    real(dp), intent(in) :: step(n) !! the step p
    real(dp), intent(out) :: w(n) !! the product

    integer(ip) :: i, j

    do j = 1, n
        w(j) = 0
        do i = 1, j
            w(i) = w(i) + r(i, j) * step(ipvt(j))
        end do
    end do
end subroutine multiply_triangle

pure subroutine move_bound(fit, fnorm1, actred, dirder, ratio)
!! Shrink the bound after a poor step, widen it after a good one (More 1978, section 4).
    real(dp), intent(in) :: fnorm1 !! the norm of the residuals at the trial point
    real(dp), intent(in) :: actred !! the actual relative reduction
    real(dp), intent(in) :: dirder !! the directional derivative
    real(dp), intent(in) :: ratio !! actual by predicted reduction
    type(lm_fit), intent(inout) :: fit !! the fit: `delta` and `par` change

    real(dp), parameter :: tenth = 0.1_dp
    real(dp) :: shrink

    if (ratio > 0.25_dp) then
        if (fit%par == 0 .or. ratio >= 0.75_dp) then
            fit%delta = fit%pnorm / 0.5_dp
            fit%par = 0.5_dp * fit%par
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
    if (tenth * fnorm1 >= fit%fnorm .or. shrink < tenth) shrink = tenth
    fit%delta = shrink * smaller(fit%delta, fit%pnorm / tenth)
    fit%par = fit%par / shrink
end subroutine move_bound

end module lm_trust_region_mod
