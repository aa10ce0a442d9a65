module kernels_panel
!! The kernels of panel.c.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int
implicit none (type, external)
private
public :: kernel_dots, kernel_dots_first, kernel_update, kernel_reflect, kernel_gram
public :: kernel_squares

interface
    pure subroutine kernel_dots(cols, rows, v, ldv, c, ldc, w, ldw) bind(c)
    !! W = V'*C for four columns of V.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: cols !! number of columns of C, 1 to 3
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        integer(ip), intent(in), value :: ldv !! leading dimension of `v`
        real(dp), intent(in) :: v(ldv, 4) !! V
        integer(ip), intent(in), value :: ldc !! leading dimension of `c`
        real(dp), intent(in) :: c(ldc, cols) !! C
        integer(ip), intent(in), value :: ldw !! leading dimension of `w`, at least 4
        real(dp), intent(inout) :: w(ldw, cols) !! the first four rows are the products
    end subroutine kernel_dots

    pure subroutine kernel_dots_first(rows, v, ldv, w) bind(c)
    !! The products of the first of four columns with all of them.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        integer(ip), intent(in), value :: ldv !! leading dimension of `v`
        real(dp), intent(in) :: v(ldv, 4) !! the columns
        real(dp), intent(inout) :: w(4) !! the products
    end subroutine kernel_dots_first

    pure subroutine kernel_update(cols, rows, v, ldv, w, ldw, c, ldc) bind(c)
    !! C = C - V*W for four columns of V.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: cols !! number of columns of C, 1 to 3
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        integer(ip), intent(in), value :: ldv !! leading dimension of `v`
        real(dp), intent(in) :: v(ldv, 4) !! V
        integer(ip), intent(in), value :: ldw !! leading dimension of `w`, at least 4
        real(dp), intent(in) :: w(ldw, cols) !! W in the first four rows
        integer(ip), intent(in), value :: ldc !! leading dimension of `c`
        real(dp), intent(inout) :: c(ldc, cols) !! C
    end subroutine kernel_update

    pure subroutine kernel_reflect(cols, rows, factor, w, c, ldc, s) bind(c)
    !! Scale the first column, v, take v*w' off those that follow, and form the products of the
    !! first of these with all of them, in one pass.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: cols !! number of columns that follow, 1 to 3
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        real(dp), intent(in), value :: factor !! of the first column
        real(dp), intent(in) :: w(cols) !! the weights
        integer(ip), intent(in), value :: ldc !! leading dimension of `c`
        real(dp), intent(inout) :: c(ldc, cols + 1) !! the columns
        real(dp), intent(inout) :: s(cols) !! the products
    end subroutine kernel_reflect

    pure subroutine kernel_gram(rows, factor, v, ldv, g) bind(c)
    !! Scale the last of four columns and form the products of all pairs.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        real(dp), intent(in), value :: factor !! of the last column
        integer(ip), intent(in), value :: ldv !! leading dimension of `v`
        real(dp), intent(inout) :: v(ldv, 4) !! the columns
        real(dp), intent(inout) :: g(6) !! the products of the columns 1,2; 1,3; 2,3; 1,4; 2,4; 3,4
    end subroutine kernel_gram

    pure subroutine kernel_squares(rows, c, ldc, s) bind(c)
    !! The sums of squares of four columns.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: rows
            !! number of rows, a positive multiple of `row_multiple`
        integer(ip), intent(in), value :: ldc !! leading dimension of `c`
        real(dp), intent(in) :: c(ldc, 4) !! the columns
        real(dp), intent(inout) :: s(4) !! the sums
    end subroutine kernel_squares
end interface

end module kernels_panel
