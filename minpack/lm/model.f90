module lm_model
!! The linear model of the residuals around a point, read off the factors of the Jacobian.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use enorm, only: enorm_
use extrema, only: larger
implicit none (type, external)
private
public :: scaled_gradient_norm, predict_reduction

contains

pure real(dp) function scaled_gradient_norm(n, r, ldr, ipvt, qtf, acnorm, fnorm)
!! The largest cosine of the angle between the residuals and a column of the Jacobian.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n)
        !! shape (ldr, n); the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: qtf(n)
        !! shape (n); the first n components of Q'*f(x)
    real(dp), intent(in) :: acnorm(n)
        !! shape (n); the norms of the Jacobian's columns
    real(dp), intent(in) :: fnorm
        !! ||f(x)||

    ! Locals
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

pure subroutine predict_reduction(n, r, ldr, ipvt, step, par, pnorm, fnorm, work, prered, dirder)
!! The relative reduction that the linear model predicts, and its directional derivative, from
!! ||f||**2 - ||f + J*p||**2 = ||J*p||**2 + 2*par*||D*p||**2 (More 1978, section 4).

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n)
        !! shape (ldr, n); the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: step(n)
        !! shape (n); the step p
    real(dp), intent(in) :: par
        !! the Levenberg-Marquardt parameter that gave the step
    real(dp), intent(in) :: pnorm
        !! ||D*p||
    real(dp), intent(in) :: fnorm
        !! ||f(x)||

    ! Outputs
    real(dp), intent(inout) :: work(n)
        !! shape (n); work: R*P'*p
    real(dp), intent(out) :: prered
        !! the predicted reduction
    real(dp), intent(out) :: dirder
        !! half the directional derivative along p, relative to ||f||**2

    ! Locals
    real(dp) :: linear, damped
    integer(ip) :: i, j

    do j = 1, n
        work(j) = 0
        do i = 1, j
            work(i) = work(i) + r(i, j) * step(ipvt(j))
        end do
    end do
    linear = enorm_(n, work) / fnorm
    damped = (sqrt(par) * pnorm) / fnorm
    prered = linear**2 + damped**2 / 0.5_dp
    dirder = -(linear**2 + damped**2)
end subroutine predict_reduction

end module lm_model
