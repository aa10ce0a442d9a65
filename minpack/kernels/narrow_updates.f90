module qr_narrow_updates
!! The inner loops of `qr_narrow` that update the columns behind two that are reduced, and form the
!! products of the first of these columns with the others.
!!
!! Routines that differ in their last digit do the same for so many columns. Where a loop has few
!! sums, the upper and the lower half of the rows have sums of their own.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use qr_kernels, only: strip
implicit none (type, external)
private
public :: reflect_twice_4, reflect_twice_3, reflect_twice_2, products_twice_2, follow_twice_3

contains

pure subroutine reflect_twice_4(strips, w1, w2, c, ldc, s)
!! Take multiples of the first two columns off four others, and form the products of the first of
!! these with all four.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w1(4)
        !! shape (4); the weights of the first column
    real(dp), intent(in) :: w2(4)
        !! shape (4); the weights of the second
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 6)
        !! shape (ldc, 6); the columns

    ! Outputs
    real(dp), intent(out) :: s(4)
        !! shape (4); the products

    ! Locals
    real(dp) :: a1, a2, a3, a4
    real(dp) :: s1, s2, s3, s4
    integer(ip) :: i

    s1 = 0; s2 = 0; s3 = 0; s4 = 0
    !$omp simd reduction(+:s1,s2,s3,s4) private(a1, a2, a3, a4)
    do i = 1, strip * max(1, strips)
        a1 = c(i, 3) - c(i, 1) * w1(1) - c(i, 2) * w2(1)
        a2 = c(i, 4) - c(i, 1) * w1(2) - c(i, 2) * w2(2)
        a3 = c(i, 5) - c(i, 1) * w1(3) - c(i, 2) * w2(3)
        a4 = c(i, 6) - c(i, 1) * w1(4) - c(i, 2) * w2(4)
        c(i, 3) = a1
        c(i, 4) = a2
        c(i, 5) = a3
        c(i, 6) = a4
        s1 = s1 + a1 * a1
        s2 = s2 + a1 * a2
        s3 = s3 + a1 * a3
        s4 = s4 + a1 * a4
    end do
    s = [s1, s2, s3, s4]
end subroutine reflect_twice_4

pure subroutine reflect_twice_3(strips, w1, w2, c, ldc, s)
!! As `reflect_twice_4`, with three other columns.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w1(3)
        !! shape (3); the weights of the first column
    real(dp), intent(in) :: w2(3)
        !! shape (3); the weights of the second
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 5)
        !! shape (ldc, 5); the columns

    ! Outputs
    real(dp), intent(out) :: s(3)
        !! shape (3); the products

    ! Locals
    real(dp) :: a1, a2, a3
    real(dp) :: s1, s2, s3
    integer(ip) :: i

    s1 = 0; s2 = 0; s3 = 0
    !$omp simd reduction(+:s1,s2,s3) private(a1, a2, a3)
    do i = 1, strip * max(1, strips)
        a1 = c(i, 3) - c(i, 1) * w1(1) - c(i, 2) * w2(1)
        a2 = c(i, 4) - c(i, 1) * w1(2) - c(i, 2) * w2(2)
        a3 = c(i, 5) - c(i, 1) * w1(3) - c(i, 2) * w2(3)
        c(i, 3) = a1
        c(i, 4) = a2
        c(i, 5) = a3
        s1 = s1 + a1 * a1
        s2 = s2 + a1 * a2
        s3 = s3 + a1 * a3
    end do
    s = [s1, s2, s3]
end subroutine reflect_twice_3

pure subroutine reflect_twice_2(strips, w1, w2, c, ldc, s)
!! As `reflect_twice_4`, with two other columns.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w1(2)
        !! shape (2); the weights of the first column
    real(dp), intent(in) :: w2(2)
        !! shape (2); the weights of the second
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 4)
        !! shape (ldc, 4); the columns

    ! Outputs
    real(dp), intent(out) :: s(2)
        !! shape (2); the products

    ! Locals
    real(dp) :: a1, a2, b1, b2
    real(dp) :: s1, s2, z1, z2
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s1 = 0; s2 = 0
    z1 = 0; z2 = 0
    !$omp simd reduction(+:s1,s2,z1,z2) private(k, a1, a2, b1, b2)
    do i = 1, half
        k = i + half
        a1 = c(i, 3) - c(i, 1) * w1(1) - c(i, 2) * w2(1)
        a2 = c(i, 4) - c(i, 1) * w1(2) - c(i, 2) * w2(2)
        c(i, 3) = a1
        c(i, 4) = a2
        s1 = s1 + a1 * a1
        s2 = s2 + a1 * a2
        b1 = c(k, 3) - c(k, 1) * w1(1) - c(k, 2) * w2(1)
        b2 = c(k, 4) - c(k, 1) * w1(2) - c(k, 2) * w2(2)
        c(k, 3) = b1
        c(k, 4) = b2
        z1 = z1 + b1 * b1
        z2 = z2 + b1 * b2
    end do
    s = [s1 + z1, s2 + z2]
end subroutine reflect_twice_2

pure subroutine products_twice_2(strips, w1, w2, c, ldc, s)
!! As `reflect_twice_2`, but the columns stay as they are.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w1(2)
        !! shape (2); the weights of the first column
    real(dp), intent(in) :: w2(2)
        !! shape (2); the weights of the second
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`
    real(dp), intent(in) :: c(ldc, 4)
        !! shape (ldc, 4); the columns

    ! Outputs
    real(dp), intent(out) :: s(2)
        !! shape (2); the products

    ! Locals
    real(dp) :: a1, a2, b1, b2
    real(dp) :: s1, s2, z1, z2
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s1 = 0; s2 = 0
    z1 = 0; z2 = 0
    !$omp simd reduction(+:s1,s2,z1,z2) private(k, a1, a2, b1, b2)
    do i = 1, half
        k = i + half
        a1 = c(i, 3) - c(i, 1) * w1(1) - c(i, 2) * w2(1)
        a2 = c(i, 4) - c(i, 1) * w1(2) - c(i, 2) * w2(2)
        s1 = s1 + a1 * a1
        s2 = s2 + a1 * a2
        b1 = c(k, 3) - c(k, 1) * w1(1) - c(k, 2) * w2(1)
        b2 = c(k, 4) - c(k, 1) * w1(2) - c(k, 2) * w2(2)
        z1 = z1 + b1 * b1
        z2 = z2 + b1 * b2
    end do
    s = [s1 + z1, s2 + z2]
end subroutine products_twice_2

pure subroutine follow_twice_3(strips, w1, w2, v, u, c, ldc, s)
!! What `reflect_twice_4` does, for three more columns.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w1(3)
        !! shape (3); the weights of the first column
    real(dp), intent(in) :: w2(3)
        !! shape (3); the weights of the second
    integer(ip), intent(in) :: ldc
        !! leading dimension of `v` and `c`
    real(dp), intent(in) :: v(ldc, 2)
        !! shape (ldc, 2); the columns that are taken off
    real(dp), intent(in) :: u(strip * strips)
        !! shape (strip*strips); the column to form the products with

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 3)
        !! shape (ldc, 3); the columns

    ! Outputs
    real(dp), intent(out) :: s(3)
        !! shape (3); the products

    ! Locals
    real(dp) :: a1, a2, a3, s1, s2, s3
    integer(ip) :: i

    s1 = 0; s2 = 0; s3 = 0
    !$omp simd reduction(+:s1,s2,s3) private(a1, a2, a3)
    do i = 1, strip * max(1, strips)
        a1 = c(i, 1) - v(i, 1) * w1(1) - v(i, 2) * w2(1)
        a2 = c(i, 2) - v(i, 1) * w1(2) - v(i, 2) * w2(2)
        a3 = c(i, 3) - v(i, 1) * w1(3) - v(i, 2) * w2(3)
        c(i, 1) = a1
        c(i, 2) = a2
        c(i, 3) = a3
        s1 = s1 + u(i) * a1
        s2 = s2 + u(i) * a2
        s3 = s3 + u(i) * a3
    end do
    s = [s1, s2, s3]
end subroutine follow_twice_3

end module qr_narrow_updates
