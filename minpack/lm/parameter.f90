module lmpar
!! The Levenberg-Marquardt parameter.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use dpmpar, only: dwarf
use enorm, only: enorm_
use extrema, only: larger, smaller
use qr_blocked, only: qr_damped, qr_spare
use qrsolv, only: qrsolv_
implicit none (type, external)
private
public :: lmpar_, find_parameter

contains

pure subroutine lmpar_(n, r, ldr, ipvt, diag, qtb, delta, par, x, sdiag, wa1, wa2) &
    bind(c, name="lmpar_")
!! Find par >= 0 such that the solution x of A*x = b, sqrt(par)*D*x = 0 in the sense of least
!! squares has ||D*x|| within a tenth of delta, or par = 0 and ||D*x|| <= 1.1*delta
!! (More 1978, section 5, algorithm 5.5; user guide, section 1.8).
!!
!! With phi(par) = ||D*x(par)|| - delta, convex and falling, the iteration is Newton's for the
!! zero of 1/||D*x|| - 1/delta, kept between a lower and an upper bound. Two steps are usual; ten
!! are the limit.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); column j of A*P is column ipvt(j) of A
    real(dp), intent(in) :: diag(n)
        !! shape (n); the diagonal of D, no element zero
    real(dp), intent(in) :: qtb(n)
        !! shape (n); the first n components of Q'*b
    real(dp), intent(in) :: delta
        !! the bound on ||D*x||, positive

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); on entry the upper triangle is that of R; on exit it is unchanged, and
        !! the strict lower triangle is the strict upper triangle of the last S of `qrsolv_`,
        !! transposed
    real(dp), intent(inout) :: par
        !! on entry a first guess, >= 0; on exit the parameter

    ! Outputs
    real(dp), intent(out) :: x(n)
        !! shape (n); the solution for `par`
    real(dp), intent(inout) :: sdiag(n)
        !! shape (n); the diagonal of S, unless par is 0
    real(dp), intent(out) :: wa1(n)
        !! shape (n); work
    real(dp), intent(out) :: wa2(n)
        !! shape (n); work

    call find_parameter(n, r, ldr, ipvt, diag, qtb, delta, par, x, sdiag, wa1, wa2)
end subroutine lmpar_

pure subroutine find_parameter(n, r, ldr, ipvt, diag, qtb, delta, par, x, sdiag, wa1, wa2, isa, &
                               spare)
!! `lmpar_`, by blocks where `isa` is given.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); column j of A*P is column ipvt(j) of A
    real(dp), intent(in) :: diag(n)
        !! shape (n); the diagonal of D, no element zero
    real(dp), intent(in) :: qtb(n)
        !! shape (n); the first n components of Q'*b
    real(dp), intent(in) :: delta
        !! the bound on ||D*x||, positive
    integer(ip), intent(in), optional :: isa
        !! given: solve by blocks, for that instruction set

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); on entry the upper triangle is that of R; on exit it is unchanged, and
        !! the strict lower triangle is the strict upper triangle of the last S of `qrsolv_`,
        !! transposed
    real(dp), intent(inout) :: par
        !! on entry a first guess, >= 0; on exit the parameter

    ! Outputs
    real(dp), intent(out) :: x(n)
        !! shape (n); the solution for `par`
    real(dp), intent(inout) :: sdiag(n)
        !! shape (n); the diagonal of S, unless par is 0
    real(dp), intent(out) :: wa1(n)
        !! shape (n); work
    real(dp), intent(out) :: wa2(n)
        !! shape (n); work
    real(dp), intent(inout), optional :: spare(qr_spare(n))
        !! shape (qr_spare(n)); work, to be given with `isa`

    ! Locals
    integer(ip), parameter :: max_steps = 10
    real(dp), parameter :: tenth = 0.1_dp, thousandth = 0.001_dp
    integer(ip) :: step
    integer(ip) :: rank
    real(dp) :: dxnorm
    real(dp) :: gnorm
    real(dp) :: lower, upper
    real(dp) :: phi, last_phi
    real(dp) :: root

    call gauss_newton(n, r, ldr, ipvt, qtb, x, wa1, rank)
    wa2 = diag * x
    dxnorm = enorm_(n, wa2)
    phi = dxnorm - delta
    if (phi <= tenth * delta) then
        par = 0
        return
    end if

    ! The Newton step from par = 0 is a lower bound; without full rank phi has no derivative there.
    lower = 0
    if (rank >= n) then
        call scaled_direction(n, ipvt, diag, wa2, dxnorm, wa1)
        call solve_transposed(n, r, ldr, wa1)
        lower = newton_correction(n, phi, delta, wa1)
    end if

    ! ||D*x|| cannot exceed ||inv(D)*P*R'*Q'*b|| / par, which gives the upper bound.
    call scaled_gradient(n, r, ldr, ipvt, diag, qtb, wa1)
    gnorm = enorm_(n, wa1)
    upper = gnorm / delta
    if (upper == 0) upper = dwarf / smaller(delta, tenth)

    par = larger(par, lower)
    par = smaller(par, upper)
    if (par == 0) par = gnorm / dxnorm

    do step = 1, max_steps
        if (par == 0) par = larger(dwarf, thousandth * upper)
        root = sqrt(par)
        wa1 = root * diag
        if (present(isa)) then
            x = qtb
            call qr_damped(isa, n, r, ipvt, wa1, x, sdiag, spare)
        else
            call qrsolv_(n, r, ldr, ipvt, wa1, qtb, x, sdiag, wa2)
        end if
        wa2 = diag * x
        dxnorm = enorm_(n, wa2)
        last_phi = phi
        phi = dxnorm - delta

        if (abs(phi) <= tenth * delta) exit
        ! With R singular phi may stay below zero however small par becomes.
        if (lower == 0 .and. phi <= last_phi .and. last_phi < 0) exit
        if (step == max_steps) exit

        call scaled_direction(n, ipvt, diag, wa2, dxnorm, wa1)
        call solve_lower(n, r, ldr, sdiag, wa1)
        if (phi > 0) lower = larger(lower, par)
        if (phi < 0) upper = smaller(upper, par)
        par = larger(lower, par + newton_correction(n, phi, delta, wa1))
    end do
end subroutine find_parameter

pure subroutine gauss_newton(n, r, ldr, ipvt, qtb, x, wa, rank)
!! The Gauss-Newton direction: solve R*P'*x = Q'*b, a least-squares solution where R is singular.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n)
        !! shape (ldr, n); the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: qtb(n)
        !! shape (n); the right-hand side

    ! Outputs
    real(dp), intent(out) :: x(n)
        !! shape (n); the direction
    real(dp), intent(out) :: wa(n)
        !! shape (n); work: P'*x
    integer(ip), intent(out) :: rank
        !! number of diagonal elements of R before the first that is zero

    ! Locals
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

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: diag(n)
        !! shape (n); the diagonal of D
    real(dp), intent(in) :: dx(n)
        !! shape (n); D*x
    real(dp), intent(in) :: dxnorm
        !! ||D*x||

    ! Outputs
    real(dp), intent(out) :: w(n)
        !! shape (n); the vector

    ! Locals
    integer(ip) :: j

    do j = 1, n
        w(j) = diag(ipvt(j)) * (dx(ipvt(j)) / dxnorm)
    end do
end subroutine scaled_direction

pure subroutine scaled_gradient(n, r, ldr, ipvt, diag, qtb, g)
!! g = P'*inv(D)*A'*b, the scaled gradient at x = 0, from the factors.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n)
        !! shape (ldr, n); the upper triangle is that of R
    integer(ip), intent(in) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(in) :: diag(n)
        !! shape (n); the diagonal of D
    real(dp), intent(in) :: qtb(n)
        !! shape (n); the first n components of Q'*b

    ! Outputs
    real(dp), intent(out) :: g(n)
        !! shape (n); the gradient

    ! Locals
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

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: r(ldr, n)
        !! shape (ldr, n); the upper triangle is that of R, nonsingular

    ! In-outputs
    real(dp), intent(inout) :: w(n)
        !! shape (n); on entry the right-hand side, on exit the solution

    ! Locals
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

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of S
    integer(ip), intent(in) :: lds
        !! leading dimension of `s`
    real(dp), intent(in) :: s(lds, n)
        !! shape (lds, n); the strict lower triangle is that of S transposed
    real(dp), intent(in) :: sdiag(n)
        !! shape (n); the diagonal of S

    ! In-outputs
    real(dp), intent(inout) :: w(n)
        !! shape (n); on entry the right-hand side, on exit the solution

    ! Locals
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

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    real(dp), intent(in) :: phi
        !! ||D*x|| - delta
    real(dp), intent(in) :: delta
        !! the bound
    real(dp), intent(in) :: y(n)
        !! shape (n); inv(S')*P'*D*(D*x)/||D*x||

    ! Locals
    real(dp) :: norm

    norm = enorm_(n, y)
    newton_correction = ((phi / delta) / norm) / norm
end function newton_correction

end module lmpar
