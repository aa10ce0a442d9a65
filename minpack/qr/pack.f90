module qr_pack
!! Blocks of rows: how large they are, where they lie, and how rows from anywhere get there. What
!! copies is in pack_rows.c.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, &
                                       c_intptr_t, c_loc, c_ptr
use qr_kernels, only: strip
implicit none (type, external)
private
public :: line, narrow, block_rows, block_lead, block_size, block_columns, to_line
public :: lowest_to_first
public :: pack, pack_differences

integer(ip), parameter :: line = 8
    !! blocks and their columns begin with a line of the cache, which is at most so many elements
integer(ip), parameter :: narrow = 16
    !! the most columns for which `qr_narrow` is faster than `qr_fold`

interface
    pure subroutine pack_rows(rows, n, a, down, b, ldb) bind(c, name="pack_rows")
    !! Copy rows without gaps between their elements.
        import :: dp, ip, wide_ip
        implicit none (type, external)

        ! Inputs
        integer(ip), intent(in) :: rows
            !! number of rows
        integer(ip), intent(in) :: n
            !! number of columns
        integer(wide_ip), intent(in) :: down
            !! elements from one row to the next; may be negative
        real(dp), intent(in) :: a(1)
            !! the first row; the others are beyond the bounds that are named here
        integer(ip), intent(in) :: ldb
            !! leading dimension of `b`

        ! Outputs
        real(dp), intent(inout) :: b(ldb, n)
            !! shape (ldb, n); the copy
    end subroutine pack_rows

    pure subroutine pack_columns(rows, n, a, right, b, ldb) bind(c, name="pack_columns")
    !! Copy columns without gaps between their elements.
        import :: dp, ip, wide_ip
        implicit none (type, external)

        ! Inputs
        integer(ip), intent(in) :: rows
            !! number of rows
        integer(ip), intent(in) :: n
            !! number of columns
        integer(wide_ip), intent(in) :: right
            !! elements from one column to the next; may be negative
        real(dp), intent(in) :: a(1)
            !! the first column; the others are beyond the bounds that are named here
        integer(ip), intent(in) :: ldb
            !! leading dimension of `b`

        ! Outputs
        real(dp), intent(inout) :: b(ldb, n)
            !! shape (ldb, n); the copy
    end subroutine pack_columns

    pure subroutine pack_above(rows, n, points, before, f, b, ldb) bind(c, name="pack_above")
    !! Copy what columns anywhere in memory are above f.
        import :: dp, ip, c_ptr
        implicit none (type, external)

        ! Inputs
        integer(ip), intent(in) :: rows
            !! number of rows
        integer(ip), intent(in) :: n
            !! number of columns
        type(c_ptr), intent(in) :: points(n)
            !! shape (n); where the columns are
        integer(ip), intent(in) :: before
            !! how many of their elements there are before the rows
        real(dp), intent(in) :: f(rows)
            !! shape (rows); what is taken off
        integer(ip), intent(in) :: ldb
            !! leading dimension of `b`

        ! Outputs
        real(dp), intent(inout) :: b(ldb, n)
            !! shape (ldb, n); the copy
    end subroutine pack_above
end interface

contains

pure function block_rows(n)
!! How many rows are reduced at a time: a few columns of them fit the nearest cache, and all
!! columns the next one or two.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(ip) :: block_rows

    block_rows = 384
    if (n <= 128) block_rows = 512
    if (n <= narrow) block_rows = 320
end function block_rows

pure function block_lead(n)
!! The leading dimension of a block: columns a power of two apart would share few lines of a cache.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(ip) :: block_lead

    block_lead = block_rows(n) + strip
end function block_lead

pure function block_size(n)
!! The number of elements of a block.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns

    ! Result
    integer(wide_ip) :: block_size

    block_size = block_lead(n) * int(block_columns(n), wide_ip)
end function block_size

pure function to_line(x)
!! How many elements there are before the next line of the cache.

    ! Inputs
    real(dp), intent(in), target :: x(1)
        !! shape (1); where to begin

    ! Result
    integer(wide_ip) :: to_line

    to_line = modulo(-transfer(c_loc(x), 0_c_intptr_t) / 8, int(line, c_intptr_t))
end function to_line

pure function lowest_to_first(m, n, down, right)
!! Where the first element of a matrix is, counted from its lowest address, which is 1.

    ! Inputs
    integer(ip), intent(in) :: m
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns
    integer(wide_ip), intent(in) :: down
        !! elements from one row to the next
    integer(wide_ip), intent(in) :: right
        !! elements from one column to the next

    ! Result
    integer(wide_ip) :: lowest_to_first

    lowest_to_first = 1 - min(0_wide_ip, (m - 1) * down) - min(0_wide_ip, (n - 1) * right)
end function lowest_to_first

pure function block_columns(n)
!! How many columns a block has: those of [A f], and where `qr_fold` works on it zeros that make
!! their number a multiple of 4.

    ! Inputs
    integer(ip), intent(in) :: n
        !! number of columns of A

    ! Result
    integer(ip) :: block_columns

    block_columns = n + 1
    if (n > narrow) block_columns = 4 * ((n + 4) / 4)
end function block_columns

pure subroutine pack(rows, n, length, a, first, down, right, f, b, ldb)
!! Copy rows of [A f] into a block, and fill its last strip up with zeros.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns of A
    integer(wide_ip), intent(in) :: length
        !! number of elements of `a`
    real(dp), intent(in) :: a(length)
        !! A
    integer(wide_ip), intent(in) :: first
        !! where in `a` the first row begins
    integer(wide_ip), intent(in) :: down
        !! elements from one row to the next
    integer(wide_ip), intent(in) :: right
        !! elements from one column to the next
    real(dp), intent(in) :: f(rows)
        !! shape (rows); the column that goes along
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! Outputs
    real(dp), intent(inout) :: b(ldb, n + 1)
        !! shape (ldb, n + 1); the block

    ! Locals
    integer(ip) :: i, k

    if (down == 1) then
        call pack_columns(rows, n, a(first), right, b, ldb)
    else if (right == 1) then
        call pack_rows(rows, n, a(first), down, b, ldb)
    else
        do i = 1, rows
            do k = 1, n
                b(i, k) = a(first + (i - 1) * down + (k - 1) * right)
            end do
        end do
    end if
    call add_residuals(rows, n, f, b, ldb)
end subroutine pack

pure subroutine pack_differences(rows, n, points, before, f, b, ldb)
!! As `pack`, where A is what residuals at other points are above f.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns of A
    type(c_ptr), intent(in) :: points(n)
        !! shape (n); where the residuals at the other points are
    integer(ip), intent(in) :: before
        !! how many of those there are before the rows
    real(dp), intent(in) :: f(rows)
        !! shape (rows); the column that goes along
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! Outputs
    real(dp), intent(inout) :: b(ldb, n + 1)
        !! shape (ldb, n + 1); the block

    call pack_above(rows, n, points, before, f, b, ldb)
    call add_residuals(rows, n, f, b, ldb)
end subroutine pack_differences

pure subroutine add_residuals(rows, n, f, b, ldb)
!! Complete a block by the column that goes along, and its last strip by zeros.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns of A
    real(dp), intent(in) :: f(rows)
        !! shape (rows); the column that goes along
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! In-outputs
    real(dp), intent(inout) :: b(ldb, n + 1)
        !! shape (ldb, n + 1); the block

    call pack_columns(rows, 1_ip, f, 0_wide_ip, b(1, n + 1), ldb)
    if (mod(rows, strip) /= 0) b(rows + 1:rows + strip - mod(rows, strip), 1:n + 1) = 0
end subroutine add_residuals

end module qr_pack
