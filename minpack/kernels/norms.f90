module qr_norms
!! Sums of squares and norms for the blocked factorisations. As in `qr_kernels` each sum is split
!! over the lanes of a vector.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use qr_kernels, only: strip
implicit none (type, external)
private
public :: sums_of_squares, norm

contains

pure subroutine sums_of_squares(strips, c, ldc, s)
!! The sums of squares of four columns.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`
    real(dp), intent(in) :: c(ldc, 4)
        !! shape (ldc, 4); the columns

    ! Outputs
    real(dp), intent(out) :: s(4)
        !! shape (4); the sums

    ! Locals
    real(dp) :: s1, s2, s3, s4, z1, z2, z3, z4
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s1 = 0; s2 = 0; s3 = 0; s4 = 0
    z1 = 0; z2 = 0; z3 = 0; z4 = 0
    !$omp simd reduction(+:s1,s2,s3,s4,z1,z2,z3,z4) private(k)
    do i = 1, half
        k = i + half
        s1 = s1 + c(i, 1)**2
        s2 = s2 + c(i, 2)**2
        s3 = s3 + c(i, 3)**2
        s4 = s4 + c(i, 4)**2
        z1 = z1 + c(k, 1)**2
        z2 = z2 + c(k, 2)**2
        z3 = z3 + c(k, 3)**2
        z4 = z4 + c(k, 4)**2
    end do
    s = [s1 + z1, s2 + z2, s3 + z3, s4 + z4]
end subroutine sums_of_squares

pure function norm(n, x)
!! The Euclidean norm. Only where the squares leave the safe range are they formed once more, of
!! components divided by the power of two next to the largest.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of components
    real(dp), intent(in) :: x(n)
        !! shape (n); the vector

    ! Result
    real(dp) :: norm

    ! Locals
    real(dp), parameter :: low = 2.0_dp**(-900), high = 2.0_dp**1000
    real(dp) :: s1, s2, s3, s4, total, largest, factor
    integer(ip) :: i, quarter

    ! By quarters, because memory is faster when read in several places at once.
    quarter = n / 4
    s1 = 0; s2 = 0; s3 = 0; s4 = 0
    !$omp simd reduction(+:s1,s2,s3,s4)
    do i = 1, quarter
        s1 = s1 + x(i)**2
        s2 = s2 + x(i + quarter)**2
        s3 = s3 + x(i + 2 * quarter)**2
        s4 = s4 + x(i + 3 * quarter)**2
    end do
    total = (s1 + s2) + (s3 + s4)
    do i = 4 * quarter + 1, n
        total = total + x(i)**2
    end do
    norm = sqrt(total)
    if (total >= low .and. total <= high) return

    largest = 0
    do i = 1, n
        if (abs(x(i)) > largest) largest = abs(x(i))
    end do
    if (.not. (largest > 0 .and. largest <= huge(largest))) return
    factor = scale(1.0_dp, -max(exponent(largest), -1000))
    total = 0
    do i = 1, n
        total = total + (factor * x(i))**2
    end do
    norm = sqrt(total) / factor
end function norm

end module qr_norms
