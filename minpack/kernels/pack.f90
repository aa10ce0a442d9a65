module kernels_pack
!! The kernels of pack.c.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, c_ptr
implicit none (type, external)
private
public :: kernel_pack_rows, kernel_pack_columns, kernel_pack_differences

interface
    pure subroutine kernel_pack_rows(rows, n, a, down, b, ldb) bind(c)
    !! Copy rows without gaps between their elements.
        import :: dp, ip, wide_ip
        implicit none (type, external)
        integer(ip), intent(in), value :: rows !! number of rows
        integer(ip), intent(in), value :: n !! number of columns
        integer(wide_ip), intent(in), value :: down
            !! elements from one row to the next; may be negative
        real(dp), intent(in) :: a(1)
            !! the first row; the others are beyond the bounds that are named here
        integer(ip), intent(in), value :: ldb !! leading dimension of `b`
        real(dp), intent(inout) :: b(ldb, n) !! the copy
    end subroutine kernel_pack_rows

    pure subroutine kernel_pack_columns(rows, n, a, right, b, ldb) bind(c)
    !! Copy columns without gaps between their elements.
        import :: dp, ip, wide_ip
        implicit none (type, external)
        integer(ip), intent(in), value :: rows !! number of rows
        integer(ip), intent(in), value :: n !! number of columns
        integer(wide_ip), intent(in), value :: right
            !! elements from one column to the next; may be negative
        real(dp), intent(in) :: a(1)
            !! the first column; the others are beyond the bounds that are named here
        integer(ip), intent(in), value :: ldb !! leading dimension of `b`
        real(dp), intent(inout) :: b(ldb, n) !! the copy
    end subroutine kernel_pack_columns

    pure subroutine kernel_pack_differences(rows, n, points, before, f, b, ldb) bind(c)
    !! Copy what columns anywhere in memory are above f.
        import :: dp, ip, c_ptr
        implicit none (type, external)
        integer(ip), intent(in), value :: rows !! number of rows
        integer(ip), intent(in), value :: n !! number of columns
        type(c_ptr), intent(in) :: points(n) !! where the columns are
        integer(ip), intent(in), value :: before
            !! how many of their elements there are before the rows
        real(dp), intent(in) :: f(rows) !! what is taken off
        integer(ip), intent(in), value :: ldb !! leading dimension of `b`
        real(dp), intent(inout) :: b(ldb, n) !! the copy
    end subroutine kernel_pack_differences
end interface

end module kernels_pack
