module qr_narrow_products
!! The inner loops of `qr_narrow` that form products: of the first column with all, before anything
!! is reduced, and of the second with all, which they update.
!!
!! Routines that differ in their last digit do the same for so many columns. Where a loop has few
!! sums, the upper and the lower half of the rows have sums of their own.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use qr_kernels, only: strip
implicit none (type, external)
private
public :: open_3, open_2, open_1
public :: second_4, second_3, second_2, second_1

contains

pure subroutine open_3(strips, v, c, ldc, square, s, squares)
!! The products of a column with itself and with three others, and their sums of squares.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: v(strip * strips)
        !! shape (strip*strips); the column
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`
    real(dp), intent(in) :: c(ldc, 3)
        !! shape (ldc, 3); the others

    ! Outputs
    real(dp), intent(out) :: square
        !! the product with itself
    real(dp), intent(out) :: s(3)
        !! shape (3); the products with the others
    real(dp), intent(out) :: squares(3)
        !! shape (3); the sums of squares

    ! Locals
    real(dp) :: s0, s1, s2, s3, q1, q2, q3
    integer(ip) :: i

    s0 = 0; s1 = 0; s2 = 0; s3 = 0; q1 = 0; q2 = 0; q3 = 0
    !$omp simd reduction(+:s0,s1,s2,s3,q1,q2,q3)
    do i = 1, strip * max(1, strips)
        s0 = s0 + v(i) * v(i)
        s1 = s1 + v(i) * c(i, 1)
        q1 = q1 + c(i, 1) * c(i, 1)
        s2 = s2 + v(i) * c(i, 2)
        q2 = q2 + c(i, 2) * c(i, 2)
        s3 = s3 + v(i) * c(i, 3)
        q3 = q3 + c(i, 3) * c(i, 3)
    end do
    square = s0
    s = [s1, s2, s3]
    squares = [q1, q2, q3]
end subroutine open_3

pure subroutine open_2(strips, v, c, ldc, square, s, squares)
!! As `open_3`, with two other columns.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: v(strip * strips)
        !! shape (strip*strips); the column
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`
    real(dp), intent(in) :: c(ldc, 2)
        !! shape (ldc, 2); the others

    ! Outputs
    real(dp), intent(out) :: square
        !! the product with itself
    real(dp), intent(out) :: s(2)
        !! shape (2); the products with the others
    real(dp), intent(out) :: squares(2)
        !! shape (2); the sums of squares

    ! Locals
    real(dp) :: s0, s1, s2, q1, q2
    real(dp) :: z0, z1, z2, y1, y2
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s0 = 0; s1 = 0; s2 = 0; q1 = 0; q2 = 0
    z0 = 0; z1 = 0; z2 = 0; y1 = 0; y2 = 0
    !$omp simd reduction(+:s0,s1,s2,q1,q2,z0,z1,z2,y1,y2) private(k)
    do i = 1, half
        k = i + half
        s0 = s0 + v(i) * v(i)
        s1 = s1 + v(i) * c(i, 1)
        q1 = q1 + c(i, 1) * c(i, 1)
        s2 = s2 + v(i) * c(i, 2)
        q2 = q2 + c(i, 2) * c(i, 2)
        z0 = z0 + v(k) * v(k)
        z1 = z1 + v(k) * c(k, 1)
        y1 = y1 + c(k, 1) * c(k, 1)
        z2 = z2 + v(k) * c(k, 2)
        y2 = y2 + c(k, 2) * c(k, 2)
    end do
    square = s0 + z0
    s = [s1 + z1, s2 + z2]
    squares = [q1 + y1, q2 + y2]
end subroutine open_2

pure subroutine open_1(strips, v, c, square, s, squares)
!! As `open_3`, with one other column.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: v(strip * strips)
        !! shape (strip*strips); the column
    real(dp), intent(in) :: c(strip * strips)
        !! shape (strip*strips); the other

    ! Outputs
    real(dp), intent(out) :: square
        !! the product with itself
    real(dp), intent(out) :: s
        !! the product with the other
    real(dp), intent(out) :: squares
        !! the sum of squares

    ! Locals
    real(dp) :: s0, s1, q1
    real(dp) :: z0, z1, y1
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s0 = 0; s1 = 0; q1 = 0
    z0 = 0; z1 = 0; y1 = 0
    !$omp simd reduction(+:s0,s1,q1,z0,z1,y1) private(k)
    do i = 1, half
        k = i + half
        s0 = s0 + v(i) * v(i)
        s1 = s1 + v(i) * c(i)
        q1 = q1 + c(i) * c(i)
        z0 = z0 + v(k) * v(k)
        z1 = z1 + v(k) * c(k)
        y1 = y1 + c(k) * c(k)
    end do
    square = s0 + z0
    s = s1 + z1
    squares = q1 + y1
end subroutine open_1

pure subroutine second_4(strips, w, c, ldc, along, s)
!! Take a multiple of the first column off the second, and form the products of this one with the
!! first, itself and four others.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w
        !! the weight
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 6)
        !! shape (ldc, 6); the columns

    ! Outputs
    real(dp), intent(out) :: along
        !! the product with the first column
    real(dp), intent(out) :: s(5)
        !! shape (5); the products with itself and the others

    ! Locals
    real(dp) :: a
    real(dp) :: s0, s1, s2, s3, s4, s5
    integer(ip) :: i

    s0 = 0; s1 = 0; s2 = 0; s3 = 0; s4 = 0; s5 = 0
    !$omp simd reduction(+:s0,s1,s2,s3,s4,s5) private(a)
    do i = 1, strip * max(1, strips)
        a = c(i, 2) - c(i, 1) * w
        c(i, 2) = a
        s0 = s0 + a * c(i, 1)
        s1 = s1 + a * a
        s2 = s2 + a * c(i, 3)
        s3 = s3 + a * c(i, 4)
        s4 = s4 + a * c(i, 5)
        s5 = s5 + a * c(i, 6)
    end do
    along = s0
    s = [s1, s2, s3, s4, s5]
end subroutine second_4

pure subroutine second_3(strips, w, c, ldc, along, s)
!! As `second_4`, with three other columns.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w
        !! the weight
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 5)
        !! shape (ldc, 5); the columns

    ! Outputs
    real(dp), intent(out) :: along
        !! the product with the first column
    real(dp), intent(out) :: s(4)
        !! shape (4); the products with itself and the others

    ! Locals
    real(dp) :: a
    real(dp) :: s0, s1, s2, s3, s4
    integer(ip) :: i

    s0 = 0; s1 = 0; s2 = 0; s3 = 0; s4 = 0
    !$omp simd reduction(+:s0,s1,s2,s3,s4) private(a)
    do i = 1, strip * max(1, strips)
        a = c(i, 2) - c(i, 1) * w
        c(i, 2) = a
        s0 = s0 + a * c(i, 1)
        s1 = s1 + a * a
        s2 = s2 + a * c(i, 3)
        s3 = s3 + a * c(i, 4)
        s4 = s4 + a * c(i, 5)
    end do
    along = s0
    s = [s1, s2, s3, s4]
end subroutine second_3

pure subroutine second_2(strips, w, c, ldc, along, s)
!! As `second_4`, with two other columns.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w
        !! the weight
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 4)
        !! shape (ldc, 4); the columns

    ! Outputs
    real(dp), intent(out) :: along
        !! the product with the first column
    real(dp), intent(out) :: s(3)
        !! shape (3); the products with itself and the others

    ! Locals
    real(dp) :: a, b
    real(dp) :: s0, s1, s2, s3
    real(dp) :: z0, z1, z2, z3
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s0 = 0; s1 = 0; s2 = 0; s3 = 0
    z0 = 0; z1 = 0; z2 = 0; z3 = 0
    !$omp simd reduction(+:s0,s1,s2,s3,z0,z1,z2,z3) private(k, a, b)
    do i = 1, half
        k = i + half
        a = c(i, 2) - c(i, 1) * w
        c(i, 2) = a
        s0 = s0 + a * c(i, 1)
        s1 = s1 + a * a
        s2 = s2 + a * c(i, 3)
        s3 = s3 + a * c(i, 4)
        b = c(k, 2) - c(k, 1) * w
        c(k, 2) = b
        z0 = z0 + b * c(k, 1)
        z1 = z1 + b * b
        z2 = z2 + b * c(k, 3)
        z3 = z3 + b * c(k, 4)
    end do
    along = s0 + z0
    s = [s1 + z1, s2 + z2, s3 + z3]
end subroutine second_2

pure subroutine second_1(strips, w, c, ldc, along, s)
!! As `second_4`, with one other column.

    ! Inputs
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w
        !! the weight
    integer(ip), intent(in) :: ldc
        !! leading dimension of `c`

    ! In-outputs
    real(dp), intent(inout) :: c(ldc, 3)
        !! shape (ldc, 3); the columns

    ! Outputs
    real(dp), intent(out) :: along
        !! the product with the first column
    real(dp), intent(out) :: s(2)
        !! shape (2); the products with itself and the others

    ! Locals
    real(dp) :: a, b
    real(dp) :: s0, s1, s2
    real(dp) :: z0, z1, z2
    integer(ip) :: half, i, k

    half = strip / 2 * max(1, strips)
    s0 = 0; s1 = 0; s2 = 0
    z0 = 0; z1 = 0; z2 = 0
    !$omp simd reduction(+:s0,s1,s2,z0,z1,z2) private(k, a, b)
    do i = 1, half
        k = i + half
        a = c(i, 2) - c(i, 1) * w
        c(i, 2) = a
        s0 = s0 + a * c(i, 1)
        s1 = s1 + a * a
        s2 = s2 + a * c(i, 3)
        b = c(k, 2) - c(k, 1) * w
        c(k, 2) = b
        z0 = z0 + b * c(k, 1)
        z1 = z1 + b * b
        z2 = z2 + b * c(k, 3)
    end do
    along = s0 + z0
    s = [s1 + z1, s2 + z2]
end subroutine second_1

end module qr_narrow_products
