module lm_parameter_mod
!! The Levenberg-Marquardt parameter.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, c_f_pointer
use dpmpar, only: dwarf
use enorm, only: enorm_
use extrema, only: larger, smaller
use lm_fit_mod, only: lm_fit, lm_spare
use qr_blocked, only: qr_damped
use qrsolv, only: qrsolv_
implicit none (type, external)
private
public :: find_parameter

contains

subroutine find_parameter(fit)
!! Find `fit%par` >= 0 such that the solution p of J*p = f, sqrt(par)*D*p = 0 in the sense of least
!! squares has ||D*p|| within a tenth of `fit%delta`, or par = 0 and ||D*p|| <= 1.1*delta
!! (More 1978, section 5, algorithm 5.5; user guide, section 1.8). On entry `fit%par` is a first
!! guess; `fit%step` becomes p.
!!
!! With phi(par) = ||D*p(par)|| - delta, convex and falling, the iteration is Newton's for the
!! zero of 1/||D*p|| - 1/delta, kept between a lower and an upper bound. Two steps are usual; ten
!! are the limit.
    type(lm_fit), intent(inout) :: fit
        !! the fit; of R the upper triangle stays, and the strict lower triangle becomes the strict
        !! upper triangle of the last S of `qrsolv_`, transposed

    integer(ip), parameter :: max_steps = 10
    real(dp), parameter :: tenth = 0.1_dp, thousandth = 0.001_dp
    real(dp), pointer, contiguous :: diag(:), qtf(:), p(:), wa1(:), wa2(:), sdiag(:), r(:, :)
    integer(ip), pointer, contiguous :: ipvt(:)
    integer(ip) :: n, step, rank
    real(dp) :: dpnorm, gnorm, lower, upper, phi, last_phi, par

    n = fit%n
    call c_f_pointer(fit%diag, diag, [n])
    call c_f_pointer(fit%qtf, qtf, [n])
    call c_f_pointer(fit%step, p, [n])
    call c_f_pointer(fit%work, wa1, [n])
    call c_f_pointer(fit%more, wa2, [n])
    call c_f_pointer(fit%spare, sdiag, [n])
    call c_f_pointer(fit%r, r, [fit%ldr, n])
    call c_f_pointer(fit%ipvt, ipvt, [n])

    call gauss_newton(n, r, fit%ldr, ipvt, qtf, p, wa1, rank)
    call scale_step(n, diag, p, wa2, dpnorm)
    phi = dpnorm - fit%delta
    if (phi <= tenth * fit%delta) then
        fit%par = 0
        return
    end if

    ! The Newton step from par = 0 is a lower bound; without full rank phi has no derivative there.
    lower = 0
    if (rank >= n) then
        call scaled_direction(n, ipvt, diag, wa2, dpnorm, wa1)
        call solve_transposed(n, r, fit%ldr, wa1)
        lower = newton_correction(n, phi, fit%delta, wa1)
    end if

    ! ||D*p|| cannot exceed ||inv(D)*P*R'*Q'*f|| / par, which gives the upper bound.
    call scaled_gradient(n, r, fit%ldr, ipvt, diag, qtf, wa1)
    gnorm = enorm_(n, wa1)
    upper = gnorm / fit%delta
    if (upper == 0) upper = dwarf / smaller(fit%delta, tenth)

    par = larger(fit%par, lower)
    par = smaller(par, upper)
    if (par == 0) par = gnorm / dpnorm

    do step = 1, max_steps
        if (par == 0) par = larger(dwarf, thousandth * upper)
        call solve_damped(fit, par)
        call scale_step(n, diag, p, wa2, dpnorm)
        last_phi = phi
        phi = dpnorm - fit%delta

        if (abs(phi) <= tenth * fit%delta) exit
        ! With R singular phi may stay below zero however small par becomes.
        if (lower == 0 .and. phi <= last_phi .and. last_phi < 0) exit
        if (step == max_steps) exit

        call scaled_direction(n, ipvt, diag, wa2, dpnorm, wa1)
        call solve_lower(n, r, fit%ldr, sdiag, wa1)
        if (phi > 0) lower = larger(lower, par)
        if (phi < 0) upper = smaller(upper, par)
        par = larger(lower, par + newton_correction(n, phi, fit%delta, wa1))
    end do
    fit%par = par
end subroutine find_parameter

subroutine solve_damped(fit, par)
!! `fit%step` becomes the solution p for a parameter; S comes with it, its diagonal in `fit%spare`.
    real(dp), intent(in) :: par !! the parameter
    type(lm_fit), intent(inout) :: fit !! the fit

    real(dp), pointer, contiguous :: diag(:), qtf(:), p(:), damping(:), wa2(:), spare(:), r(:, :)
    integer(ip), pointer, contiguous :: ipvt(:)
    integer(ip) :: n, j
    real(dp) :: root

    n = fit%n
    call c_f_pointer(fit%diag, diag, [n])
    call c_f_pointer(fit%qtf, qtf, [n])
    call c_f_pointer(fit%step, p, [n])
    call c_f_pointer(fit%work, damping, [n])
    call c_f_pointer(fit%more, wa2, [n])
    call c_f_pointer(fit%spare, spare, [lm_spare(n, fit%isa)])
    call c_f_pointer(fit%r, r, [fit%ldr, n])
    call c_f_pointer(fit%ipvt, ipvt, [n])

    root = sqrt(par)
    do j = 1, n
        damping(j) = root * diag(j)
    end do
    if (fit%isa < 0) then
        call qrsolv_(n, r, fit%ldr, ipvt, damping, qtf, p, spare, wa2)
    else
        do j = 1, n
            p(j) = qtf(j)
        end do
        call qr_damped(fit%isa, n, r, ipvt, damping, p, spare, spare(n + 1:))
    end if
end subroutine solve_damped

pure subroutine scale_step(n, diag, p, scaled, norm)
!! D*p, and its norm.
    integer(ip), intent(in) :: n !! number of variables
    real(dp), intent(in) :: diag(n) !! the diagonal of D
    real(dp), intent(in) :: p(n) !! p
    real(dp), intent(out) :: scaled(n) !! D*p
    real(dp), intent(out) :: norm !! ||D*p||

    scaled = diag * p
    norm = enorm_(n, scaled)
end subroutine scale_step

pure subroutine gauss_newton(n, r, ldr, ipvt, qtb, x, wa, rank)
!! The Gauss-Newton direction: solve R*P'*x = Q'*b, a least-squares solution where R is singular.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n) !! the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    real(dp), intent(in) :: qtb(n) !! the right-hand side
    real(dp), intent(out) :: x(n) !! the direction
    real(dp), intent(out) :: wa(n) !! work: P'*x
    integer(ip), intent(out) :: rank
        !! number of diagonal elements of R before the first that is zero

    integer(ip) :: i, j

    rank = 0
    do while (rank < n)
        if (r(rank + 1, rank + 1) == 0) exit
        rank = rank + 1
    end do
    wa(1:rank) = qtb(1:rank)
    wa(rank + 1:n) = 0

    do j = rank, 1, -1
        wa(j) = wa(j) / r(j, j)
        do i = 1, j - 1
            wa(i) = wa(i) - r(i, j) * wa(j)
        end do
    end do
    do j = 1, n
        x(ipvt(j)) = wa(j)
    end do
end subroutine gauss_newton

pure subroutine scaled_direction(n, ipvt, diag, dx, dxnorm, w)
!! w = P'*D*(D*x)/||D*x||, the vector whose image under the inverse of S' gives phi's derivative.
    integer(ip), intent(in) :: n !! number of variables
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    real(dp), intent(in) :: diag(n) !! the diagonal of D
    real(dp), intent(in) :: dx(n) !! D*x
    real(dp), intent(in) :: dxnorm !! ||D*x||
    real(dp), intent(out) :: w(n) !! the vector

    integer(ip) :: j

    do j = 1, n
        w(j) = diag(ipvt(j)) * (dx(ipvt(j)) / dxnorm)
    end do
end subroutine scaled_direction

pure subroutine scaled_gradient(n, r, ldr, ipvt, diag, qtb, g)
!! g = P'*inv(D)*A'*b, the scaled gradient at x = 0, from the factors.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n) !! the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n) !! the permutation
    real(dp), intent(in) :: diag(n) !! the diagonal of D
    real(dp), intent(in) :: qtb(n) !! the first n components of Q'*b
    real(dp), intent(out) :: g(n) !! the gradient

    integer(ip) :: i, j
    real(dp) :: total

    do j = 1, n
        total = 0
        do i = 1, j
            total = total + r(i, j) * qtb(i)
        end do
        g(j) = total / diag(ipvt(j))
    end do
end subroutine scaled_gradient

pure subroutine solve_transposed(n, r, ldr, w)
!! Solve R'*y = w in place, going down the columns of the upper triangle R.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: ldr !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n) !! the upper triangle is that of R, nonsingular
    real(dp), intent(inout) :: w(n) !! on entry the right-hand side, on exit the solution

    integer(ip) :: i, j
    real(dp) :: total

    do j = 1, n
        total = 0
        do i = 1, j - 1
            total = total + r(i, j) * w(i)
        end do
        w(j) = (w(j) - total) / r(j, j)
    end do
end subroutine solve_transposed

pure subroutine solve_lower(n, s, lds, sdiag, w)
!! Solve S'*y = w in place, with S' in the strict lower triangle that `qrsolv_` leaves.
    integer(ip), intent(in) :: n !! order of S
    integer(ip), intent(in) :: lds !! leading dimension of `s`
    real(dp), intent(in) :: s(lds, n) !! the strict lower triangle is that of S transposed
    real(dp), intent(in) :: sdiag(n) !! the diagonal of S
    real(dp), intent(inout) :: w(n) !! on entry the right-hand side, on exit the solution

    integer(ip) :: i, j

    do j = 1, n
        w(j) = w(j) / sdiag(j)
        do i = j + 1, n
            w(i) = w(i) - s(i, j) * w(j)
        end do
    end do
end subroutine solve_lower

pure real(dp) function newton_correction(n, phi, delta, y)
!! What Newton's step for 1/||D*x|| - 1/delta = 0 adds to par: (phi/delta) / ||y||**2.
    integer(ip), intent(in) :: n !! number of variables
    real(dp), intent(in) :: phi !! ||D*x|| - delta
    real(dp), intent(in) :: delta !! the bound
    real(dp), intent(in) :: y(n) !! inv(S')*P'*D*(D*x)/||D*x||

    real(dp) :: norm

    norm = enorm_(n, y)
    newton_correction = ((phi / delta) / norm) / norm
end function newton_correction

end module lm_parameter_mod
