module qr_narrow
!! Reduction of a block of rows with few columns against a triangle: [R; B] -> [R'; 0].
!!
!! Where a block is in the nearest cache, storing costs more than multiplying, so two columns are
!! reduced before those that follow are updated, in one pass, which also forms the products that
!! make the next reflection. In between, another pass updates the second column alone, u, and forms
!! its products with the first, v, and with the others as they are; u'*v corrects the latter. Nobody
!! needs the vectors of the reflections, so a column stays as it was when it was reduced, and its
!! scale goes into the weights. As in `qr_kernels` each sum is split over the lanes of a vector, and
!! where there are few of them over two halves of the rows, too.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
use qr_fold, only: reflect_head
use qr_kernels, only: strip, dots_4x1
implicit none (type, external)
private
public :: narrow, narrow_products, fold_narrow

integer(ip), parameter :: narrow = 16
    !! the most columns for which this is faster than `qr_fold`

contains

pure subroutine narrow_products(n, strips, b, ldb, s, squares)
!! The products of the first column with all, and the sums of squares.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns, at least 2
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`
    real(dp), intent(in) :: b(ldb, n)
        !! shape (ldb, n); the columns

    ! Outputs
    real(dp), intent(inout) :: s(n)
        !! shape (n); the products
    real(dp), intent(inout) :: squares(n)
        !! shape (n); the sums of squares

    ! Locals
    integer(ip) :: k

    do k = 2, n - 2, 3
        call open_3(strips, b, b(1, k), ldb, s(1), s(k), squares(k))
    end do
    select case (n - k)
    case (1)
        call open_2(strips, b, b(1, k), ldb, s(1), s(k), squares(k))
    case (0)
        call open_1(strips, b, b(1, k), s(1), s(k), squares(k))
    case default
    end select
    squares(1) = s(1)
end subroutine narrow_products

pure subroutine fold_narrow(n, r, ldr, strips, b, ldb, s)
!! Reduce a block of rows against a triangle, with a column that goes along.

    ! Inputs
    integer(ip), intent(in) :: n
        !! order of R, at most `narrow`
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`, at least n
    integer(ip), intent(in) :: strips
        !! the rows of B, in strips, at least 1
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`, at least strip*strips

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); the upper triangle is that of R, column n + 1 is a right-hand side
    real(dp), intent(inout) :: b(ldb, n + 1)
        !! shape (ldb, n + 1); the block; destroyed
    real(dp), intent(inout) :: s(n + 1)
        !! shape (n + 1); the products of the first column of B with all; destroyed

    ! Locals
    real(dp) :: w1(narrow), w2(narrow), along
    integer(ip) :: j, right

    do j = 1, n, 2
        right = n + 1 - j
        call reduce_row(right, ldr, r(j, j), s, w1)
        ! What is left of the column that goes along nobody needs.
        if (right == 1) return
        call second_products(right - 1, strips, w1(1), b(1, j), ldb, along, s)
        s(2:right) = s(2:right) - w1(2:right) * along
        right = right - 1
        call reduce_row(right, ldr, r(j + 1, j + 1), s, w2)
        if (right == 1) return
        call reflect(right, strips, w1(2), w2, b(1, j), ldb, s)
    end do
end subroutine fold_narrow

pure subroutine reduce_row(n, ldr, r, s, w)
!! Make the reflection that reduces a column to its element in R, and apply it to the row of R.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of elements right of the column's own
    integer(ip), intent(in) :: ldr
        !! leading dimension of `r`
    real(dp), intent(in) :: s(n + 1)
        !! shape (n + 1); the products of the column of B with itself and those to its right

    ! In-outputs
    real(dp), intent(inout) :: r(ldr, n + 1)
        !! shape (ldr, n + 1); its first row is the row of R

    ! Outputs
    real(dp), intent(inout) :: w(n)
        !! shape (n); the weights of the column that are to be taken off those to its right

    ! Locals
    real(dp) :: row(narrow + 1), tau, factor
    integer(ip) :: k

    do k = 1, n + 1
        row(k) = r(1, k)
    end do
    call reflect_head(n, row, s(1), s(2), w, tau, factor)
    do k = 1, n + 1
        r(1, k) = row(k)
    end do
    w = factor * w
end subroutine reduce_row

pure subroutine second_products(n, strips, w, b, ldb, along, s)
!! Take the first column off the second, and form the products of this one with all.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns after the second, at least 1
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w
        !! the weight
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! In-outputs
    real(dp), intent(inout) :: b(ldb, n + 2)
        !! shape (ldb, n + 2); the columns

    ! Outputs
    real(dp), intent(out) :: along
        !! the product with the first
    real(dp), intent(inout) :: s(n + 1)
        !! shape (n + 1); the products with itself and those that follow

    ! Locals
    integer(ip) :: first, k

    select case (mod(n, 4))
    case (1)
        call second_1(strips, w, b, ldb, along, s)
        first = 2
    case (2)
        call second_2(strips, w, b, ldb, along, s)
        first = 3
    case (3)
        call second_3(strips, w, b, ldb, along, s)
        first = 4
    case default
        call second_4(strips, w, b, ldb, along, s)
        first = 5
    end select
    do k = first, n, 4
        call dots_4x1(strips, b(1, k + 2), ldb, b(1, 2), s(k + 1))
    end do
end subroutine second_products

pure subroutine reflect(n, strips, w1, w2, b, ldb, s)
!! Take multiples of two columns off those that follow, and form the products of the first of these
!! with all of them.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns that follow, at least 2
    integer(ip), intent(in) :: strips
        !! number of strips of rows
    real(dp), intent(in) :: w1(n)
        !! shape (n); the weights of the first column
    real(dp), intent(in) :: w2(n)
        !! shape (n); the weights of the second
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! In-outputs
    real(dp), intent(inout) :: b(ldb, n + 2)
        !! shape (ldb, n + 2); the columns

    ! Outputs
    real(dp), intent(inout) :: s(n)
        !! shape (n); the products

    ! Locals
    integer(ip) :: first, k

    if (n == 2) then
        call products_2(strips, w1, w2, b, ldb, s)
        return
    end if
    select case (mod(n, 3))
    case (2)
        call reflect_2(strips, w1, w2, b, ldb, s)
        first = 3
    case (0)
        call reflect_3(strips, w1, w2, b, ldb, s)
        first = 4
    case default
        call reflect_4(strips, w1, w2, b, ldb, s)
        first = 5
    end select
    do k = first, n, 3
        call follow_3(strips, w1(k), w2(k), b, b(1, 3), b(1, k + 2), ldb, s(k))
    end do
end subroutine reflect

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

pure subroutine reflect_4(strips, w1, w2, c, ldc, s)
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
end subroutine reflect_4

pure subroutine reflect_3(strips, w1, w2, c, ldc, s)
!! As `reflect_4`, with three other columns.

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
end subroutine reflect_3

pure subroutine reflect_2(strips, w1, w2, c, ldc, s)
!! As `reflect_4`, with two other columns.

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
end subroutine reflect_2

pure subroutine products_2(strips, w1, w2, c, ldc, s)
!! As `reflect_2`, but the columns stay as they are.

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
end subroutine products_2

pure subroutine follow_3(strips, w1, w2, v, u, c, ldc, s)
!! What `reflect_4` does, for three more columns.

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
end subroutine follow_3

end module qr_narrow
