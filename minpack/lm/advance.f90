module lm_advance_mod
!! The Levenberg-Marquardt iteration, once for every driver (More 1978, section 7, algorithm 7.1).
!!
!! The iteration never calls the user's function. It stops where it needs something, says what in
!! `fit%request`, and goes on when `lm_advance` is called with the answer:
!!
!!     call lm_begin(fit, m)
!!     do while (fit%request /= finished)
!!         select case (fit%request)
!!         case (want_residual); fnorm = norm of f(x)
!!         case (want_jacobian); call lm_factor(fit, ...), or put R, Q'*f, the norms there otherwise
!!         case (want_trial);    fnorm = norm of f(trial)
!!         end select
!!         call lm_advance(fit, fnorm)
!!     end do
!!
!! The residuals stay with the driver: where `fit%iter` has grown, those at the trial point are
!! those at x. All that must outlive a request is in the fit or where its pointers lead, so any
!! number of fits can be under way at once. A driver that cannot answer just leaves the loop.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, c_f_pointer
use lm_convergence_mod, only: scaled_gradient_norm
use enorm, only: enorm_
use extrema, only: larger, smaller
use lm_fit_mod, only: lm_fit, ask, finished, want_residual, want_jacobian, want_trial
use lm_parameter_mod, only: find_parameter
use lm_trust_region_mod, only: judge
implicit none (type, external)
private
public :: lm_advance

contains

subroutine lm_advance(fit, fnorm) bind(c, name="lm_advance")
!! Take the answer to the last request and go on to the next one.
    real(dp), intent(in), value :: fnorm
        !! the norm of the residuals that were wanted; ignored where it was a Jacobian
    type(lm_fit), intent(inout) :: fit !! the fit

    integer(ip) :: iter

    iter = fit%iter
    select case (fit%request)
    case (want_residual)
        fit%fnorm = fnorm
        call ask(fit, want_jacobian)
        return
    case (want_jacobian)
        call digest(fit)
    case (want_trial)
        call judge(fit, fnorm)
    case default
        return
    end select

    if (fit%info /= 0) then
        fit%request = finished
    else if (fit%iter /= iter) then
        call ask(fit, want_jacobian)
    else
        call propose(fit)
    end if
end subroutine lm_advance

subroutine digest(fit)
!! Update the scaling from the norms of the Jacobian's columns (More 1978, section 6) and test the
!! gradient: `info` becomes 4 where that test holds.
    type(lm_fit), intent(inout) :: fit !! the fit

    real(dp), pointer, contiguous :: x(:), diag(:), qtf(:), acnorm(:), work(:), r(:, :)
    integer(ip), pointer, contiguous :: ipvt(:)
    integer(ip) :: j

    call c_f_pointer(fit%x, x, [fit%n])
    call c_f_pointer(fit%diag, diag, [fit%n])
    call c_f_pointer(fit%qtf, qtf, [fit%n])
    call c_f_pointer(fit%acnorm, acnorm, [fit%n])
    call c_f_pointer(fit%work, work, [fit%n])
    call c_f_pointer(fit%r, r, [fit%ldr, fit%n])
    call c_f_pointer(fit%ipvt, ipvt, [fit%n])

    if (fit%iter == 1) then
        do j = 1, fit%n
            if (fit%mode /= 2) then
                diag(j) = acnorm(j)
                if (acnorm(j) == 0) diag(j) = 1
            end if
            work(j) = diag(j) * x(j)
        end do
        fit%xnorm = enorm_(fit%n, work)
        fit%delta = fit%factor * fit%xnorm
        if (fit%delta == 0) fit%delta = fit%factor
    end if

    fit%gnorm = scaled_gradient_norm(fit%n, r, fit%ldr, ipvt, qtf, acnorm, fit%fnorm)
    if (fit%gnorm <= fit%gtol) then
        fit%info = 4
    else if (fit%mode /= 2) then
        do j = 1, fit%n
            diag(j) = larger(diag(j), acnorm(j))
        end do
    end if
end subroutine digest

subroutine propose(fit)
!! Find the step within the bound and ask for the residuals at its end.
    type(lm_fit), intent(inout) :: fit !! the fit

    real(dp), pointer, contiguous :: x(:), diag(:), step(:), trial(:), work(:)
    integer(ip) :: j

    call find_parameter(fit)
    call c_f_pointer(fit%x, x, [fit%n])
    call c_f_pointer(fit%diag, diag, [fit%n])
    call c_f_pointer(fit%step, step, [fit%n])
    call c_f_pointer(fit%trial, trial, [fit%n])
    call c_f_pointer(fit%work, work, [fit%n])
    do j = 1, fit%n
        step(j) = -step(j)
        trial(j) = x(j) + step(j)
        work(j) = diag(j) * step(j)
    end do
    fit%pnorm = enorm_(fit%n, work)
    ! The first bound was a guess from x alone.
    if (fit%iter == 1) fit%delta = smaller(fit%delta, fit%pnorm)
    call ask(fit, want_trial)
end subroutine propose

end module lm_advance_mod
