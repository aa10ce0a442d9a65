module lm_convergence_mod
!! The tests that end a fit, and the cosine that one of them is about.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use dpmpar, only: epsmch
use extrema, only: larger
use lm_fit_mod, only: lm_fit
implicit none (type, external)
private
public :: scaled_gradient_norm, test_convergence

contains

pure real(dp) function scaled_gradient_norm(n, r, ldr, ipvt, qtf, acnorm, fnorm)
!! The largest cosine of the angle between the residuals and a column of the Jacobian.
    integer(ip), intent(in) :: n !! number of variables
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n) !! the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    real(dp), intent(in) :: qtf(n) !! the first n components of Q'*f(x)
    real(dp), intent(in) :: acnorm(n) !! the norms of the Jacobian's columns
    real(dp), intent(in) :: fnorm !! ||f(x)||

    integer(ip) :: i, j
    real(dp) :: total

    scaled_gradient_norm = 0
    if (fnorm == 0) return
    do j = 1, n
        if (acnorm(ipvt(j)) == 0) cycle
        total = 0
        do i = 1, j
            total = total + r(i, j) * (qtf(i) / fnorm)
        end do
        scaled_gradient_norm = larger(scaled_gradient_norm, abs(total / acnorm(ipvt(j))))
    end do
end function scaled_gradient_norm

pure subroutine test_convergence(fit, actred, prered, ratio)
!! Set `info` when the tolerances are met (user guide, section 2.3), when the
!! evaluations are used up, or when rounding leaves no room for progress. Later tests take
!! precedence.
    real(dp), intent(in) :: actred !! the actual relative reduction
    real(dp), intent(in) :: prered !! the predicted one
    real(dp), intent(in) :: ratio !! their ratio
    type(lm_fit), intent(inout) :: fit !! the fit

    logical :: small_reduction, small_step

    small_reduction = abs(actred) <= fit%ftol .and. prered <= fit%ftol .and. 0.5_dp * ratio <= 1
    small_step = fit%delta <= fit%xtol * fit%xnorm
    if (small_reduction) fit%info = 1
    if (small_step) fit%info = 2
    if (small_reduction .and. small_step) fit%info = 3
    if (fit%info /= 0) return

    if (fit%nfev >= fit%maxfev) fit%info = 5
    if (abs(actred) <= epsmch .and. prered <= epsmch .and. 0.5_dp * ratio <= 1) fit%info = 6
    if (fit%delta <= epsmch * fit%xnorm) fit%info = 7
    if (fit%gnorm <= epsmch) fit%info = 8
end subroutine test_convergence

end module lm_convergence_mod
