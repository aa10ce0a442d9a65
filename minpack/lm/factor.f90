module lm_factor_mod
!! From a Jacobian, or a triangle that stands for it, to what the iteration wants of it: R with its
!! pivots, Q'*f and the norms of the columns.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, c_f_pointer
use enorm, only: column_norms
use kernels_tuning, only: triangle_panels
use lm_fit_mod, only: lm_fit, lm_spare
use qr_blocked, only: qr_triangle
use qrfac, only: factor_columns
implicit none (type, external)
private
public :: lm_factor

contains

subroutine lm_factor(fit, m, f, qtfull) bind(c, name="lm_factor")
!! Factor what is in `fit%r`: the Jacobian, column by column, as MINPACK does; or by blocks the
!! triangle that stands for it, where the column behind it is what belongs to it of Q'*f.
    integer(ip), intent(in), value :: m !! number of residuals
    real(dp), intent(in) :: f(m) !! the residuals at x; by blocks not referenced, as `qtfull`
    type(lm_fit), intent(inout) :: fit !! the fit
    real(dp), intent(inout) :: qtfull(m) !! work: all of Q'*f

    real(dp), pointer, contiguous :: r(:, :)

    if (fit%isa < 0) then
        qtfull = f
        call factor_matrix(fit, m, qtfull)
    else if (fit%n < triangle_panels) then
        call c_f_pointer(fit%r, r, [fit%ldr, fit%n + 1])
        call factor_matrix(fit, fit%n, r(1:fit%n, fit%n + 1))
    else
        call factor_triangle(fit)
    end if
end subroutine lm_factor

subroutine factor_triangle(fit)
!! Factor the triangle by blocks.
    type(lm_fit), intent(inout) :: fit !! the fit

    real(dp), pointer, contiguous :: r(:, :), qtf(:), acnorm(:), work(:), spare(:)
    integer(ip), pointer, contiguous :: ipvt(:)
    integer(ip) :: n, j

    n = fit%n
    call c_f_pointer(fit%r, r, [fit%ldr, n + 1])
    call c_f_pointer(fit%qtf, qtf, [n])
    call c_f_pointer(fit%acnorm, acnorm, [n])
    call c_f_pointer(fit%work, work, [n])
    call c_f_pointer(fit%ipvt, ipvt, [n])
    call c_f_pointer(fit%spare, spare, [lm_spare(n, fit%isa)])
    do j = 1, n
        qtf(j) = r(j, n + 1)
    end do
    call qr_triangle(fit%isa, n, r, qtf, ipvt, work, acnorm, spare)
end subroutine factor_triangle

subroutine factor_matrix(fit, m, rhs)
!! Factor the m by n matrix in `fit%r`, as MINPACK does.
    integer(ip), intent(in) :: m !! number of rows
    type(lm_fit), intent(inout) :: fit !! the fit
    real(dp), intent(inout) :: rhs(m) !! on entry a vector f, on exit Q'*f

    real(dp), pointer, contiguous :: a(:, :), qtf(:), acnorm(:), work(:)
    integer(ip), pointer, contiguous :: ipvt(:)
    integer(ip) :: n, j

    n = fit%n
    call c_f_pointer(fit%r, a, [fit%ldr, n])
    call c_f_pointer(fit%qtf, qtf, [n])
    call c_f_pointer(fit%acnorm, acnorm, [n])
    call c_f_pointer(fit%work, work, [n])
    call c_f_pointer(fit%ipvt, ipvt, [n])

    call column_norms(m, n, a, fit%ldr, acnorm)
    ! The diagonal of R comes where Q'*f is to be, and goes to its place before that does.
    do j = 1, n
        qtf(j) = acnorm(j)
    end do
    call factor_columns(m, n, a, fit%ldr, qtf, work, ipvt, rhs)
    do j = 1, n
        a(j, j) = qtf(j)
        qtf(j) = rhs(j)
    end do
end subroutine factor_matrix

end module lm_factor_mod
