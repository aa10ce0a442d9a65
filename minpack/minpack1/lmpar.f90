module lmpar
!! The Levenberg-Marquardt parameter, for callers who have the factors of a Jacobian.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, c_loc
use lm_fit_mod, only: lm_fit
use lm_parameter_mod, only: find_parameter
implicit none (type, external)
private
public :: lmpar_

contains

subroutine lmpar_(n, r, ldr, ipvt, diag, qtb, delta, par, x, sdiag, wa1, wa2) &
    bind(c, name="lmpar_")
!! Find par >= 0 such that the solution x of A*x = b, sqrt(par)*D*x = 0 in the sense of least
!! squares has ||D*x|| within a tenth of delta, or par = 0 and ||D*x|| <= 1.1*delta
!! (More 1978, section 5; user guide, section 1.8).
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: ldr !! leading dimension of `r`, at least n
    integer(ip), intent(in), target :: ipvt(n) !! column j of A*P is column ipvt(j) of A
    real(dp), intent(in), target :: diag(n) !! the diagonal of D, no element zero
    real(dp), intent(in), target :: qtb(n) !! the first n components of Q'*b
    real(dp), intent(in) :: delta !! the bound on ||D*x||, positive
    real(dp), intent(inout), target :: r(ldr, n)
        !! on entry the upper triangle is that of R; on exit it is unchanged, and the strict lower
        !! triangle is the strict upper triangle of the last S of `qrsolv_`, transposed
    real(dp), intent(inout) :: par !! on entry a first guess, >= 0; on exit the parameter
    real(dp), intent(out), target :: x(n) !! the solution for `par`
    real(dp), intent(inout), target :: sdiag(n) !! the diagonal of S, unless par is 0
    real(dp), intent(out), target :: wa1(n) !! work
    real(dp), intent(out), target :: wa2(n) !! work

    type(lm_fit) :: fit

    fit%n = n
    fit%ldr = ldr
    fit%isa = -1
    fit%delta = delta
    fit%par = par
    fit%r = c_loc(r)
    fit%ipvt = c_loc(ipvt)
    fit%diag = c_loc(diag)
    fit%qtf = c_loc(qtb)
    fit%step = c_loc(x)
    fit%spare = c_loc(sdiag)
    fit%work = c_loc(wa1)
    fit%more = c_loc(wa2)
    call find_parameter(fit)
    par = fit%par
end subroutine lmpar_

end module lmpar
