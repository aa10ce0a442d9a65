module lm_differences_mod
!! The Jacobian by forward differences (user guide, section 2.4): where the residuals are wanted,
!! and what becomes of them.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, c_ptr, c_f_pointer
use dpmpar, only: epsmch
use extrema, only: larger
use lm_fit_mod, only: lm_fit, lm_spare
use qr_blocked, only: qr_differences, qr_end, qr_start
implicit none (type, external)
private
public :: lm_steps, lm_reduce, lm_quotient, difference_root, difference_step

contains

subroutine lm_steps(fit, epsfcn, steps) bind(c, name="lm_steps")
!! How far each variable is displaced from x.
    type(lm_fit), intent(in) :: fit !! the fit
    real(dp), intent(in), value :: epsfcn
        !! relative error of the residuals; below the machine precision it counts as that
    real(dp), intent(inout) :: steps(fit%n) !! shape (n); the steps

    real(dp), pointer, contiguous :: x(:)
    real(dp) :: root
    integer(ip) :: j

    call c_f_pointer(fit%x, x, [fit%n])
    root = difference_root(epsfcn)
    do j = 1, fit%n
        steps(j) = difference_step(x(j), root)
    end do
end subroutine lm_steps

pure real(dp) function difference_root(epsfcn)
!! The relative step of differences.
    real(dp), intent(in) :: epsfcn !! relative error of the residuals

    difference_root = sqrt(larger(epsfcn, epsmch))
end function difference_root

pure real(dp) function difference_step(xj, root)
!! How far a variable is displaced.
    real(dp), intent(in) :: xj !! the variable
    real(dp), intent(in) :: root !! the relative step, as `difference_root` gives it

    difference_step = root * abs(xj)
    if (difference_step == 0) difference_step = root
end function difference_step

pure subroutine lm_quotient(m, f, step, column) bind(c, name="lm_quotient")
!! From the residuals at a displaced point to a column of the Jacobian.
    integer(ip), intent(in), value :: m !! number of residuals
    real(dp), intent(in) :: f(m) !! the residuals at x
    real(dp), intent(in), value :: step !! how far the variable was displaced
    real(dp), intent(inout) :: column(m) !! on entry the residuals there, on exit the quotients

    column = (column - f) / step
end subroutine lm_quotient

subroutine lm_reduce(fit, m, points, f, steps) bind(c, name="lm_reduce")
!! By blocks: the triangle that stands for the Jacobian, without pivoting, and in the column behind
!! it what belongs to it of Q'*f, for `lm_factor`. A column of R has the factor of the Jacobian's,
!! so that the differences themselves can be factored, and only R is divided by the steps.
    type(lm_fit), intent(inout) :: fit !! the fit; where its `r` leads is written to
    integer(ip), intent(in), value :: m !! number of residuals
    type(c_ptr), intent(in) :: points(fit%n)
        !! where the residuals at the displaced points are, m of them each
    real(dp), intent(in) :: f(m) !! the residuals at x
    real(dp), intent(in) :: steps(fit%n) !! how far each variable was displaced

    real(dp), pointer, contiguous :: r(:, :), spare(:)
    integer(ip) :: n, i, j

    n = fit%n
    call c_f_pointer(fit%r, r, [fit%ldr, n + 1])
    call c_f_pointer(fit%spare, spare, [lm_spare(n, fit%isa)])
    call qr_start(n, r, spare)
    call qr_differences(fit%isa, m, n, points, f, r, spare)
    call qr_end(n, r, spare)
    do j = 1, n
        do i = 1, j
            r(i, j) = r(i, j) / steps(j)
        end do
    end do
end subroutine lm_reduce

end module lm_differences_mod
