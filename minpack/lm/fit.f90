module lm_fit_mod
!! One Levenberg-Marquardt fit between two requests: all that outlives them.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, c_ptr, &
                                       c_f_pointer
use enorm, only: enorm_
use qr_blocked, only: qr_norm, qr_spare
implicit none (type, external)
private
public :: lm_fit, lm_begin, lm_norm, lm_spare, ask

integer(ip), parameter, public :: finished = 0 !! no more requests: `info` says why
integer(ip), parameter, public :: want_residual = 1
    !! the residuals at `x` are wanted, and of them the norm
integer(ip), parameter, public :: want_jacobian = 2 !! the factors of the Jacobian at `x` are wanted
integer(ip), parameter, public :: want_trial = 3
    !! the residuals at `trial` are wanted, and of them the norm

type, bind(c) :: lm_fit
    !! The names are those of the paper where it has one. What a pointer leads to is the caller's.
    integer(ip) :: request !! what the iteration waits for
    integer(ip) :: info
        !! why it finished, numbered as in `lmder_`; 0 before, and for improper input
    integer(ip) :: nfev
        !! evaluations of the residuals asked for so far, those for differences included
    integer(ip) :: njev !! Jacobians asked for so far
    integer(ip) :: iter !! outer iterations, from 1; it grows where a trial point becomes x
    integer(ip) :: maxfev !! limit of `nfev`, positive; tested after each trial point
    integer(ip) :: mode !! 2: the caller's `diag` is kept; any other: it follows the column norms
    integer(ip) :: jacobian_cost
        !! evaluations of the residuals that one Jacobian takes: n by differences, else 0
    integer(ip) :: n !! number of variables, positive
    integer(ip) :: ldr
        !! leading dimension of `r`: by blocks `qr_lead(n)`, else at least the number of residuals
    integer(ip) :: isa
        !! the instruction set for work by blocks; negative: column by column, as MINPACK does
    real(dp) :: ftol !! relative error wanted in the sum of squares, >= 0
    real(dp) :: xtol !! relative error wanted in x, >= 0
    real(dp) :: gtol !! orthogonality wanted between f(x) and the columns of the Jacobian, >= 0
    real(dp) :: factor !! the first step bound, in units of ||D*x||, positive
    real(dp) :: delta !! the step bound: ||D*p|| <= delta
    real(dp) :: par !! the Levenberg-Marquardt parameter
    real(dp) :: fnorm !! ||f(x)||
    real(dp) :: xnorm !! ||D*x||
    real(dp) :: pnorm !! ||D*p|| of the step p under trial
    real(dp) :: gnorm !! largest cosine between f(x) and a column of the Jacobian
    type(c_ptr) :: x !! shape (n); the best point so far
    type(c_ptr) :: diag !! shape (n); the diagonal of D, positive
    type(c_ptr) :: qtf !! shape (n); the first n components of Q'*f(x)
    type(c_ptr) :: acnorm !! shape (n); the norms of the Jacobian's columns
    type(c_ptr) :: step !! shape (n); the step p under trial
    type(c_ptr) :: trial !! shape (n); x + p
    type(c_ptr) :: work !! shape (n); free between requests
    type(c_ptr) :: more !! shape (n); free between requests
    type(c_ptr) :: r
        !! shape (ldr, n), by blocks (ldr, n + 1); in the upper triangle R of the Jacobian's
        !! factorisation J*P = Q*R, below it MINPACK's own
    type(c_ptr) :: ipvt !! shape (n), integers; column j of J*P is column ipvt(j) of J
    type(c_ptr) :: spare !! shape (lm_spare(n, isa)); free between requests
end type lm_fit

contains

subroutine lm_begin(fit, m) bind(c, name="lm_begin")
!! Begin a fit whose options and pointers are set, from the point in `x`: the first request is for
!! the residuals there, or, where an argument is improper, the fit is finished with info 0.
    integer(ip), intent(in), value :: m !! number of residuals, at least n
    type(lm_fit), intent(inout) :: fit !! the fit

    real(dp), pointer, contiguous :: diag(:)

    fit%info = 0
    fit%nfev = 0
    fit%njev = 0
    fit%iter = 1
    fit%par = 0
    fit%delta = 0
    fit%fnorm = 0
    fit%xnorm = 0
    fit%pnorm = 0
    fit%gnorm = 0

    fit%request = finished
    if (fit%n <= 0 .or. m < fit%n) return
    if (fit%isa < 0 .and. fit%ldr < m) return
    if (fit%ftol < 0 .or. fit%xtol < 0 .or. fit%gtol < 0) return
    if (fit%maxfev <= 0 .or. fit%factor <= 0) return
    if (fit%mode == 2) then
        call c_f_pointer(fit%diag, diag, [fit%n])
        if (any(diag <= 0)) return
    end if
    call ask(fit, want_residual)
end subroutine lm_begin

pure subroutine ask(fit, request)
!! Put a request and count the evaluations that it costs.
    integer(ip), intent(in) :: request !! the request
    type(lm_fit), intent(inout) :: fit !! the fit

    fit%request = request
    if (request == want_jacobian) then
        fit%njev = fit%njev + 1
        fit%nfev = fit%nfev + fit%jacobian_cost
    else
        fit%nfev = fit%nfev + 1
    end if
end subroutine ask

pure real(dp) function lm_norm(fit, m, f) bind(c, name="lm_norm")
!! The norm of residuals.
    type(lm_fit), intent(in) :: fit !! the fit
    integer(ip), intent(in), value :: m !! number of residuals
    real(dp), intent(in) :: f(m) !! the residuals

    if (fit%isa < 0) then
        lm_norm = enorm_(m, f)
    else
        lm_norm = qr_norm(fit%isa, m, f)
    end if
end function lm_norm

pure integer(wide_ip) function lm_spare(n, isa) bind(c, name="lm_spare")
!! The number of elements that `spare` of a fit has to have.
    integer(ip), intent(in), value :: n !! number of variables
    integer(ip), intent(in), value :: isa !! the instruction set; negative: as MINPACK does

    lm_spare = n
    if (isa >= 0) lm_spare = n + qr_spare(n)
end function lm_spare

end module lm_fit_mod
