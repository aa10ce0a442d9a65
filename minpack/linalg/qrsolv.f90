module qrsolv
!! Solution of the damped linear least-squares problem from a QR factorisation.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: qrsolv_

contains

pure subroutine qrsolv_(n, r, ldr, ipvt, diag, qtb, x, sdiag, wa) bind(c, name="qrsolv_")
!! Solve A*x = b, D*x = 0 in the sense of least squares, given A*P = Q*R and the first n components
!! of Q'*b (More 1978, section 3; user guide, section 1.8).
!!
!! Plane rotations fold the diagonal matrix P'*D*P into R, one row at a time, and leave an upper
!! triangular S with P'*(A'*A + D*D)*P = S'*S. Where S is singular the corresponding components of
!! P'*x are set to zero.
    integer(ip), intent(in) :: n !! order of R
    integer(ip), intent(in) :: ldr !! leading dimension of `r`, at least n
    integer(ip), intent(in) :: ipvt(n) !! column j of A*P is column ipvt(j) of A
    real(dp), intent(in) :: diag(n) !! the diagonal of D
    real(dp), intent(in) :: qtb(n) !! the first n components of Q'*b
    real(dp), intent(inout) :: r(ldr, n)
        !! on entry the upper triangle is that of R; on exit it is unchanged, and the strict lower
        !! triangle is the strict upper triangle of S, transposed
    real(dp), intent(out) :: x(n) !! the solution
    real(dp), intent(out) :: sdiag(n) !! the diagonal of S
    real(dp), intent(out) :: wa(n) !! work: Q'*b as the rotations leave it

    integer(ip) :: i, j

    ! S grows in the lower triangle, so that R survives in the upper one; x keeps R's diagonal.
    do j = 1, n
        do i = j + 1, n
            r(i, j) = r(j, i)
        end do
        x(j) = r(j, j)
        wa(j) = qtb(j)
    end do

    do j = 1, n
        if (diag(ipvt(j)) /= 0) then
            sdiag(j) = diag(ipvt(j))
            sdiag(j + 1:n) = 0
            call eliminate_row(n, r, ldr, j, sdiag, wa)
        end if
        sdiag(j) = r(j, j)
        r(j, j) = x(j)
    end do

    call solve_triangle(n, r, ldr, sdiag, wa)
    do j = 1, n
        x(ipvt(j)) = wa(j)
    end do
end subroutine qrsolv_

pure subroutine eliminate_row(n, s, lds, j, row, qtb)
!! Rotate one row of D, zero left of column j, into the triangle S.
    integer(ip), intent(in) :: n !! order of S
    integer(ip), intent(in) :: lds !! leading dimension of `s`
    integer(ip), intent(in) :: j !! first column of the row that is not zero
    real(dp), intent(inout) :: s(lds, n) !! the lower triangle is S transposed
    real(dp), intent(inout) :: row(n) !! columns j to n of the row; destroyed
    real(dp), intent(inout) :: qtb(n) !! the right-hand side that belongs to S

    real(dp) :: cosine, sine, ratio, held
    real(dp) :: rhs
    integer(ip) :: i, k

    ! The right-hand side of a row of D is zero and fills up as the rotations go.
    rhs = 0
    do k = j, n
        if (row(k) == 0) cycle
        ! The larger of the two elements divides, so that no square overflows.
        if (abs(s(k, k)) >= abs(row(k))) then
            ratio = row(k) / s(k, k)
            cosine = 0.5_dp / sqrt(0.25_dp + 0.25_dp * ratio**2)
            sine = cosine * ratio
        else
            ratio = s(k, k) / row(k)
            sine = 0.5_dp / sqrt(0.25_dp + 0.25_dp * ratio**2)
            cosine = sine * ratio
        end if

        s(k, k) = cosine * s(k, k) + sine * row(k)
        held = cosine * qtb(k) + sine * rhs
        rhs = -sine * qtb(k) + cosine * rhs
        qtb(k) = held
        do i = k + 1, n
            held = cosine * s(i, k) + sine * row(i)
            row(i) = -sine * s(i, k) + cosine * row(i)
            s(i, k) = held
        end do
    end do
end subroutine eliminate_row

pure subroutine solve_triangle(n, s, lds, sdiag, z)
!! Solve S*z = rhs, with z zero from the first zero on the diagonal of S onward.
    integer(ip), intent(in) :: n !! order of S
    integer(ip), intent(in) :: lds !! leading dimension of `s`
    real(dp), intent(in) :: s(lds, n) !! the strict lower triangle is that of S transposed
    real(dp), intent(in) :: sdiag(n) !! the diagonal of S
    real(dp), intent(inout) :: z(n) !! on entry the right-hand side, on exit the solution

    integer(ip) :: rank
    integer(ip) :: i, j
    real(dp) :: total

    rank = 0
    do while (rank < n)
        if (sdiag(rank + 1) == 0) exit
        rank = rank + 1
    end do
    z(rank + 1:n) = 0

    do j = rank, 1, -1
        total = 0
        do i = j + 1, rank
            total = total + s(i, j) * z(i)
        end do
        z(j) = (z(j) - total) / sdiag(j)
    end do
end subroutine solve_triangle

end module qrsolv
