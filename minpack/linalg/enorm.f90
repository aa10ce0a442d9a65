module enorm
!! The Euclidean norm of a vector, without overflow or harmful underflow.
!!
!! The squares are gathered in three sums. Components whose squares neither overflow nor underflow
!! go into one sum as they are; the larger and the smaller ones go into sums of their own, each
!! scaled by the largest magnitude met so far in its class, so that no square can leave the range.
!! Together: norm**2 = large_max**2 * large + medium + small_max**2 * small.
!!
!! Most vectors have nothing but medium components and zeros. Their one sum is tried first, because
!! it takes no decisions on the way, and because those of several columns can go side by side.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use kernels_machine, only: smallest_medium, largest_medium
implicit none (type, external)
private
public :: enorm_, column_norms

contains

pure real(dp) function enorm_(n, x) bind(c, name="enorm_")
!! The Euclidean norm of `x` (user guide, section 1.8).
    integer(ip), intent(in) :: n !! number of components
    real(dp), intent(in) :: x(n) !! the vector

    real(dp) :: medium, lowest, highest, xabs
    integer(ip) :: i

    medium = 0
    lowest = 1
    highest = 0
    do i = 1, n
        xabs = abs(x(i))
        medium = medium + xabs**2
        if (xabs > highest) highest = xabs
        if (xabs < lowest) lowest = xabs
    end do
    if (lowest == 0) lowest = lowest_but_zero(n, x)
    if (are_medium(n, lowest, highest, medium)) then
        enorm_ = sqrt(medium)
    else
        enorm_ = norm_by_classes(n, x)
    end if
end function enorm_

pure subroutine column_norms(m, n, a, lda, norms)
!! `enorm_` of every column of a matrix.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    integer(ip), intent(in) :: lda !! leading dimension of `a`
    real(dp), intent(in) :: a(lda, n) !! the matrix
    real(dp), intent(inout) :: norms(n) !! the norms

    integer(ip) :: first, last
    real(dp) :: four(4)

    do first = 1, n, 4
        last = min(first + 3, n)
        if (first == n) then
            norms(n) = enorm_(m, a(1, n))
        else
            call four_norms(m, a(1, first), a(1, first + 1), a(1, min(first + 2, n)), a(1, last), &
                            four)
            norms(first:last) = four(1:last - first + 1)
        end if
    end do
end subroutine column_norms

pure subroutine four_norms(n, a, b, c, d, norms)
!! `enorm_` of four vectors.
    integer(ip), intent(in) :: n !! number of components
    real(dp), intent(in) :: a(n), b(n), c(n), d(n)
        !! shape (n); the vectors, of which some may be the same
    real(dp), intent(out) :: norms(4) !! the norms

    real(dp) :: medium(4), xabs(4), lowest(4), highest(4)
    integer(ip) :: i, j

    medium = 0
    lowest = 1
    highest = 0
    do i = 1, n
        xabs = abs([a(i), b(i), c(i), d(i)])
        medium = medium + xabs**2
        do j = 1, 4
            if (xabs(j) > highest(j)) highest(j) = xabs(j)
            xabs(j) = merge(xabs(j), 1.0_dp, xabs(j) > 0)
            if (xabs(j) < lowest(j)) lowest(j) = xabs(j)
        end do
    end do
    norms = sqrt(medium)
    if (.not. are_medium(n, lowest(1), highest(1), medium(1))) norms(1) = enorm_(n, a)
    if (.not. are_medium(n, lowest(2), highest(2), medium(2))) norms(2) = enorm_(n, b)
    if (.not. are_medium(n, lowest(3), highest(3), medium(3))) norms(3) = enorm_(n, c)
    if (.not. are_medium(n, lowest(4), highest(4), medium(4))) norms(4) = enorm_(n, d)
end subroutine four_norms

pure real(dp) function lowest_but_zero(n, x)
!! The smallest magnitude that is not zero, or 1.
    integer(ip), intent(in) :: n !! number of components
    real(dp), intent(in) :: x(n) !! the vector

    real(dp) :: xabs
    integer(ip) :: i

    lowest_but_zero = 1
    do i = 1, n
        xabs = merge(1.0_dp, abs(x(i)), x(i) == 0)
        if (xabs < lowest_but_zero) lowest_but_zero = xabs
    end do
end function lowest_but_zero

pure logical function are_medium(n, lowest, highest, medium)
!! Whether the sum of squares of n components is what their norm comes from.
    integer(ip), intent(in) :: n !! number of components
    real(dp), intent(in) :: lowest !! the smallest magnitude that is not zero, or 1
    real(dp), intent(in) :: highest !! the largest magnitude
    real(dp), intent(in) :: medium
        !! their sum of squares: a NaN where a component is one, which no magnitude shows

    are_medium = lowest > smallest_medium .and. highest < largest_medium / n .and. medium == medium
end function are_medium

pure real(dp) function norm_by_classes(n, x)
!! The norm of any vector.
    integer(ip), intent(in) :: n !! number of components
    real(dp), intent(in) :: x(n) !! the vector

    real(dp) :: large, medium, small
    real(dp) :: large_max, small_max
    real(dp) :: limit
    real(dp) :: xabs
    integer(ip) :: i

    large = 0
    medium = 0
    small = 0
    large_max = 0
    small_max = 0
    ! n squares are added, so each may only be an nth of what one alone might be.
    limit = largest_medium / n

    ! A NaN fails every comparison: it falls through to the large class and turns the norm to NaN.
    do i = 1, n
        xabs = abs(x(i))
        if (xabs > smallest_medium .and. xabs < limit) then
            medium = medium + xabs**2
        else if (xabs <= smallest_medium) then
            if (xabs > small_max) then
                small = 1 + small * (small_max / xabs)**2
                small_max = xabs
            else if (xabs /= 0) then
                small = small + (xabs / small_max)**2
            end if
        else if (xabs <= large_max) then
            large = large + (xabs / large_max)**2
        else
            large = 1 + large * (large_max / xabs)**2
            large_max = xabs
        end if
    end do

    ! Beside large components the small ones cannot change the result.
    if (large /= 0) then
        norm_by_classes = large_max * sqrt(large + (medium / large_max) / large_max)
    else if (medium /= 0) then
        if (medium >= small_max) then
            norm_by_classes = sqrt(medium * (1 + (small_max / medium) * (small_max * small)))
        else
            norm_by_classes = sqrt(small_max * ((medium / small_max) + (small_max * small)))
        end if
    else
        norm_by_classes = small_max * sqrt(small)
    end if
end function norm_by_classes

end module enorm
