module lm_factors
!! From a Jacobian, or a triangle that stands for it, to R, Q'*f and the norms of the columns.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use kernels_tuning, only: triangle_panels
use qr_blocked, only: qr_spare, qr_triangle
use qrfac, only: factor
implicit none (type, external)
private
public :: factor_jacobian, factor_triangle

contains

pure subroutine factor_jacobian(m, n, fvec, fjac, ldfjac, ipvt, qtf, rdiag, acnorm, work, qtfull)
!! Factor the Jacobian as MINPACK does, column by column.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of residuals
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`
    real(dp), intent(in) :: fvec(m)
        !! shape (m); the residuals at x

    ! In-outputs
    real(dp), intent(inout) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); on entry the Jacobian, on exit its factors

    ! Outputs
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); the first n components of Q'*f(x)
    real(dp), intent(inout) :: rdiag(n)
        !! shape (n); work: the diagonal of R
    real(dp), intent(inout) :: acnorm(n)
        !! shape (n); the norms of the Jacobian's columns
    real(dp), intent(inout) :: work(n)
        !! shape (n); work
    real(dp), intent(inout) :: qtfull(m)
        !! shape (m); work: all of Q'*f(x)

    ! Locals
    integer(ip), parameter :: pivoting = 1

    qtfull = fvec
    call factor(m, n, fjac, ldfjac, pivoting, ipvt, n, rdiag, acnorm, work, qtfull)
    call settle_factors(n, fjac, ldfjac, rdiag, qtfull, qtf)
end subroutine factor_jacobian

pure subroutine factor_triangle(isa, n, r, ldr, ipvt, qtf, rdiag, acnorm, work, spare)
!! Factor the triangle that stands for the Jacobian; a small one as MINPACK does.

    ! Inputs
    integer(ip), intent(in) :: isa
        !! the instruction set
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n)
        !! shape (ldr, n); on entry the triangle, on exit R with pivoting
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); on entry what belongs to the triangle, on exit the first n components of
        !! Q'*f(x)

    ! Outputs
    integer(ip), intent(inout) :: ipvt(n)
        !! shape (n); the permutation
    real(dp), intent(inout) :: rdiag(n)
        !! shape (n); work: the diagonal of R
    real(dp), intent(inout) :: acnorm(n)
        !! shape (n); the norms of the Jacobian's columns
    real(dp), intent(inout) :: work(n)
        !! shape (n); work
    real(dp), intent(inout) :: spare(qr_spare(n))
        !! shape (qr_spare(n)); work

    ! Locals
    integer(ip), parameter :: pivoting = 1

    if (n >= triangle_panels) then
        call qr_triangle(isa, n, r, qtf, ipvt, rdiag, acnorm, spare)
        return
    end if
    spare(1:n) = qtf
    call factor(n, n, r, ldr, pivoting, ipvt, n, rdiag, acnorm, work, spare)
    call settle_factors(n, r, ldr, rdiag, spare, qtf)
end subroutine factor_triangle

pure subroutine settle_factors(n, fjac, ldfjac, rdiag, qtfull, qtf)
!! Put the diagonal of R where the reflections' leading elements stood, and take what is needed of
!! Q'*f.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of variables
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of `fjac`
    real(dp), intent(in) :: rdiag(n)
        !! shape (n); the diagonal of R
    real(dp), intent(in) :: qtfull(n)
        !! shape (n); the first n components of Q'*f

    ! In-outputs
    real(dp), intent(inout) :: fjac(ldfjac, n)
        !! shape (ldfjac, n); the factors as `qrfac_` leaves them, on exit with R's diagonal

    ! Outputs
    real(dp), intent(inout) :: qtf(n)
        !! shape (n); the first n components of Q'*f

    ! Locals
    integer(ip) :: j

    do j = 1, n
        fjac(j, j) = rdiag(j)
        qtf(j) = qtfull(j)
    end do
end subroutine settle_factors

end module lm_factors
