module lmdif
!! Least squares by Levenberg-Marquardt with a Jacobian by differences.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, c_loc
use callbacks, only: residual_callback
use fdjac2, only: fdjac2_
use lm_advance_mod, only: lm_advance
use lm_factor_mod, only: lm_factor
use lm_fit_mod, only: lm_fit, lm_begin, lm_norm, finished, want_residual, want_jacobian
implicit none (type, external)
private
public :: lmdif_, lmdif1_

contains

subroutine lmdif_(fcn, m, n, x, fvec, ftol, xtol, gtol, maxfev, epsfcn, diag, mode, factor, &
                  nprint, info, nfev, fjac, ldfjac, ipvt, qtf, wa1, wa2, wa3, wa4) &
    bind(c, name="lmdif_")
!! Minimise the sum of squares of m functions of n variables, with a Jacobian by forward
!! differences (user guide, sections 1.6 and 2.2; More 1978).
    procedure(residual_callback) :: fcn !! the residuals
    integer(ip), intent(in) :: m !! number of residuals, at least n
    integer(ip), intent(in) :: n !! number of variables, positive
    integer(ip), intent(in) :: ldfjac !! leading dimension of `fjac`, at least m
    real(dp), intent(in) :: ftol !! relative error wanted in the sum of squares, >= 0
    real(dp), intent(in) :: xtol !! relative error wanted in x, >= 0
    real(dp), intent(in) :: gtol !! cosine wanted of residuals and Jacobian's columns, >= 0
    integer(ip), intent(in) :: maxfev
        !! limit of the evaluations of the residuals, positive; tested after each trial point
    real(dp), intent(in) :: epsfcn
        !! relative error of the residuals, from which `fdjac2_` takes its steps
    integer(ip), intent(in) :: mode
        !! 1: scale the variables by the Jacobian's column norms; 2: by `diag`
    real(dp), intent(in) :: factor !! the first step bound by ||D*x||, positive; 0.1 to 100
    integer(ip), intent(in) :: nprint
        !! if positive, fcn is called with `iflag` 0 at the first and every nprint-th iteration and
        !! before the return
    real(dp), intent(inout), target :: x(n) !! on entry the start, on exit the best point
    real(dp), intent(inout), target :: diag(n)
        !! the diagonal of D: on entry with mode 2 positive, otherwise set here
    real(dp), intent(inout) :: fvec(m) !! the residuals at x
    integer(ip), intent(out) :: info
        !! negative: fcn stopped it; 0: improper input; 1: ftol holds; 2: xtol holds; 3: both; 4:
        !! gtol holds; 5: maxfev reached; 6, 7, 8: ftol, xtol, gtol is too small
    integer(ip), intent(out) :: nfev !! calls of fcn, those for differences included
    real(dp), intent(inout), target :: fjac(ldfjac, n)
        !! the upper triangle of the first n rows is R of the last Jacobian, J*P = Q*R; what is
        !! below belongs to the computation of Q
    integer(ip), intent(inout), target :: ipvt(n) !! column j of J*P is column ipvt(j) of J
    real(dp), intent(inout), target :: qtf(n)
        !! the first n components of Q'*fvec, fvec being that of the last Jacobian
    real(dp), intent(inout), target :: wa1(n), wa2(n), wa3(n), wa4(m) !! work

    type(lm_fit) :: fit
    real(dp) :: fnorm
    integer(ip) :: iflag, iter

    fit%n = n
    fit%ldr = ldfjac
    fit%isa = -1
    fit%ftol = ftol
    fit%xtol = xtol
    fit%gtol = gtol
    fit%maxfev = maxfev
    fit%mode = mode
    fit%factor = factor
    fit%jacobian_cost = n
    fit%x = c_loc(x)
    fit%diag = c_loc(diag)
    fit%r = c_loc(fjac)
    fit%ipvt = c_loc(ipvt)
    fit%qtf = c_loc(qtf)
    fit%step = c_loc(wa1)
    fit%trial = c_loc(wa2)
    fit%work = c_loc(wa3)
    fit%more = c_loc(wa4)
    ! Both are free where the trial point is written, and MINPACK's caller has no more room.
    fit%acnorm = fit%trial
    fit%spare = fit%trial

    call lm_begin(fit, m)
    iflag = 0
    do while (fit%request /= finished)
        iter = fit%iter
        fnorm = 0
        select case (fit%request)
        case (want_residual)
            iflag = 1
            call fcn(m, n, x, fvec, iflag)
            if (iflag >= 0) fnorm = lm_norm(fit, m, fvec)
        case (want_jacobian)
            iflag = 2
            call fdjac2_(fcn, m, n, x, fvec, fjac, ldfjac, iflag, epsfcn, wa4)
            if (iflag >= 0 .and. nprint > 0) then
                iflag = 0
                if (mod(fit%iter - 1, nprint) == 0) call fcn(m, n, x, fvec, iflag)
            end if
            if (iflag >= 0) call lm_factor(fit, m, fvec, wa4)
        case default
            iflag = 1
            call fcn(m, n, wa2, wa4, iflag)
            if (iflag >= 0) fnorm = lm_norm(fit, m, wa4)
        end select
        if (iflag < 0) exit
        call lm_advance(fit, fnorm)
        ! Only a rejected trial has made use of the room for the next one's residuals.
        if (fit%iter /= iter) fvec = wa4
    end do

    info = fit%info
    if (iflag < 0) info = iflag
    nfev = fit%nfev
    iflag = 0
    if (nprint > 0) call fcn(m, n, x, fvec, iflag)
end subroutine lmdif_

subroutine lmdif1_(fcn, m, n, x, fvec, tol, info, iwa, wa, lwa) bind(c, name="lmdif1_")
!! `lmdif_` with the settings that suit most problems (user guide, section 1.6): one tolerance,
!! scaling by column norms, 200*(n + 1) evaluations, residuals exact to the machine precision.
    procedure(residual_callback) :: fcn !! the residuals
    integer(ip), intent(in) :: m !! number of residuals, at least n
    integer(ip), intent(in) :: n !! number of variables, positive
    real(dp), intent(in) :: tol !! relative error wanted in the sum of squares and in x, >= 0
    integer(ip), intent(in) :: lwa !! size of `wa`, at least m*n + 5*n + m
    real(dp), intent(inout) :: x(n) !! on entry the start, on exit the best point
    real(dp), intent(inout) :: fvec(m) !! the residuals at x
    integer(ip), intent(out) :: info !! as for `lmdif_`, but 8 is reported as 4
    integer(ip), intent(inout) :: iwa(n) !! work: the permutation
    real(dp), intent(inout) :: wa(lwa) !! work

    real(dp), parameter :: factor = 100, gtol = 0, epsfcn = 0
    integer(ip), parameter :: mode = 1, nprint = 0
    integer(ip) :: nfev

    info = 0
    if (n <= 0 .or. m < n .or. tol < 0 .or. lwa < m * n + 5 * n + m) return
    call lmdif_(fcn, m, n, x, fvec, tol, tol, gtol, 200 * (n + 1), epsfcn, wa, mode, factor, &
                nprint, info, nfev, wa(5 * n + m + 1), m, ipvt=iwa, qtf=wa(n + 1), &
                wa1=wa(2 * n + 1), wa2=wa(3 * n + 1), wa3=wa(4 * n + 1), wa4=wa(5 * n + 1))
    if (info == 8) info = 4
end subroutine lmdif1_

end module lmdif
