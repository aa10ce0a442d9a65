module kernels_narrow
!! The kernels of narrow.c.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: kernel_first, kernel_second, kernel_pair, kernel_pair_more

interface
    pure subroutine kernel_first(cols, rows, v, c, ldc, square, s, squares) bind(c)
    !! The products of a column with itself and with some others, and their sums of squares.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: cols !! number of others, 1 to 3
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        real(dp), intent(in) :: v(rows) !! the column
        integer(ip), intent(in), value :: ldc !! leading dimension of `c`
        real(dp), intent(in) :: c(ldc, cols) !! the others
        real(dp), intent(out) :: square !! the product with itself
        real(dp), intent(inout) :: s(cols) !! the products with the others
        real(dp), intent(inout) :: squares(cols) !! the sums of squares
    end subroutine kernel_first

    pure subroutine kernel_second(cols, rows, w, c, ldc, along, s) bind(c)
    !! Take a multiple of the first column off the second, and form the products of this one.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: cols !! number of columns that follow, 1 to 4
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        real(dp), intent(in), value :: w !! the weight
        integer(ip), intent(in), value :: ldc !! leading dimension of `c`
        real(dp), intent(inout) :: c(ldc, cols + 2) !! the columns
        real(dp), intent(out) :: along !! the product with the first column
        real(dp), intent(inout) :: s(cols + 1) !! the products with itself and those that follow
    end subroutine kernel_second

    pure subroutine kernel_pair(cols, rows, w1, w2, c, ldc, s, keep) bind(c)
    !! Take multiples of the first two columns off those that follow, and form the products of the
    !! first of these with all of them.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: cols !! number of columns that follow, 2 to 4
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        real(dp), intent(in) :: w1(cols) !! the weights of the first column
        real(dp), intent(in) :: w2(cols) !! the weights of the second
        integer(ip), intent(in), value :: ldc !! leading dimension of `c`
        integer(ip), intent(in), value :: keep !! 0: two that follow stay as they are
        real(dp), intent(inout) :: c(ldc, cols + 2) !! the columns
        real(dp), intent(inout) :: s(cols) !! the products
    end subroutine kernel_pair

    pure subroutine kernel_pair_more(rows, w1, w2, v, x, c, ldc, s) bind(c)
    !! What `kernel_pair` does, for three more columns.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        real(dp), intent(in) :: w1(3) !! the weights of the first column
        real(dp), intent(in) :: w2(3) !! the weights of the second
        integer(ip), intent(in), value :: ldc !! leading dimension of `v` and `c`
        real(dp), intent(in) :: v(ldc, 2) !! the columns that are taken off
        real(dp), intent(in) :: x(rows) !! the column to form the products with
        real(dp), intent(inout) :: c(ldc, 3) !! the columns
        real(dp), intent(inout) :: s(3) !! the products
    end subroutine kernel_pair_more
end interface

end module kernels_narrow
