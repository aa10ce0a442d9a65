module lm_fit
!! The state of one Levenberg-Marquardt fit between two requests, and its beginning.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: lm_state, lm_start, lm_ask

integer(ip), parameter, public :: finished = 0
    !! no more requests: `info` says why
integer(ip), parameter, public :: want_residual = 1
    !! the residuals at `x` go to `fvec`
integer(ip), parameter, public :: want_jacobian = 2
    !! the Jacobian at `x` goes to `fjac`
integer(ip), parameter, public :: want_trial = 3
    !! the residuals at `trial` go to `ftrial`

type, bind(c) :: lm_state
    !! One fit between two requests. The names are those of the paper where it has one.
    integer(ip) :: request
        !! what the iteration waits for
    integer(ip) :: info
        !! why it finished, numbered as in `lmder_`; 0 before, and for improper input
    integer(ip) :: nfev
        !! evaluations of the residuals asked for so far, those for differences included
    integer(ip) :: njev
        !! Jacobians asked for so far
    integer(ip) :: iter
        !! outer iterations, from 1: the Jacobian of the current one belongs to x
    integer(ip) :: maxfev
        !! limit of `nfev`
    integer(ip) :: mode
        !! 2: the caller's `diag` is kept; any other: it follows the column norms
    integer(ip) :: jacobian_cost
        !! evaluations of the residuals that one Jacobian takes: n by differences, else 0
    real(dp) :: ftol, xtol, gtol
        !! the three tolerances
    real(dp) :: factor
        !! the first step bound, in units of ||D*x||
    real(dp) :: delta
        !! the step bound: ||D*p|| <= delta
    real(dp) :: par
        !! the Levenberg-Marquardt parameter
    real(dp) :: fnorm
        !! ||f(x)||
    real(dp) :: xnorm
        !! ||D*x||
    real(dp) :: pnorm
        !! ||D*p|| of the step p under trial
    real(dp) :: gnorm
        !! largest cosine between f(x) and a column of the Jacobian
end type lm_state

contains

pure subroutine lm_start(state, m, n, ldfjac, ftol, xtol, gtol, maxfev, diag, mode, factor, &
                         jacobian_cost) bind(c, name="lm_start")
!! Begin a fit: the first request is for the residuals at x, or, where an argument is improper,
!! the fit is finished with info 0.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of residuals, at least n
    integer(ip), intent(in) :: n
        !! number of variables, positive
    integer(ip), intent(in) :: ldfjac
        !! leading dimension of the Jacobian, at least m
    real(dp), intent(in) :: ftol
        !! relative error wanted in the sum of squares, >= 0
    real(dp), intent(in) :: xtol
        !! relative error wanted in x, >= 0
    real(dp), intent(in) :: gtol
        !! orthogonality wanted between f(x) and the columns of the Jacobian, >= 0
    integer(ip), intent(in) :: maxfev
        !! limit of the evaluations, positive
    real(dp), intent(in) :: diag(n)
        !! shape (n); with mode 2 the diagonal of D, positive
    integer(ip), intent(in) :: mode
        !! 2: scale by `diag`; any other: by the column norms of the Jacobian
    real(dp), intent(in) :: factor
        !! the first step bound in units of ||D*x||, positive
    integer(ip), intent(in) :: jacobian_cost
        !! evaluations of the residuals that one Jacobian takes

    ! Outputs
    type(lm_state), intent(out) :: state
        !! the fit

    state%ftol = ftol
    state%xtol = xtol
    state%gtol = gtol
    state%factor = factor
    state%maxfev = maxfev
    state%mode = mode
    state%jacobian_cost = jacobian_cost
    state%info = 0
    state%nfev = 0
    state%njev = 0
    state%iter = 1
    state%par = 0
    state%delta = 0
    state%fnorm = 0
    state%xnorm = 0
    state%pnorm = 0
    state%gnorm = 0

    state%request = finished
    if (n <= 0 .or. m < n .or. ldfjac < m) return
    if (ftol < 0 .or. xtol < 0 .or. gtol < 0 .or. maxfev <= 0 .or. factor <= 0) return
    if (mode == 2) then
        if (any(diag <= 0)) return
    end if
    call lm_ask(state, want_residual)
end subroutine lm_start

pure subroutine lm_ask(state, request)
!! Put a request and count the evaluations that it costs.

    ! Inputs
    integer(ip), intent(in) :: request
        !! the request

    ! In-outputs
    type(lm_state), intent(inout) :: state
        !! the fit

    state%request = request
    if (request == want_jacobian) then
        state%njev = state%njev + 1
        state%nfev = state%nfev + state%jacobian_cost
    else
        state%nfev = state%nfev + 1
    end if
end subroutine lm_ask

end module lm_fit
