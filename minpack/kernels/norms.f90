module kernels_norms
!! The norm of a vector for the blocked factorisations.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: norm

contains

pure function norm(n, x)
!! The Euclidean norm. Only where the squares leave the safe range are they formed once more, of
!! components divided by the power of two next to the largest.
    integer(ip), intent(in) :: n !! number of components
    real(dp), intent(in) :: x(n) !! the vector
    real(dp) :: norm

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

end module kernels_norms
