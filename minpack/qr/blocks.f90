module qr_blocks
!! Blocks of rows: how large they are, where they lie, and how rows from anywhere get there.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, &
                                       c_intptr_t, c_loc, c_ptr
use kernels_pack, only: kernel_pack_rows, kernel_pack_columns, kernel_pack_differences
use kernels_tuning, only: row_multiple, cache_line, narrow, block_rows_narrow, block_rows_middle, &
                          block_rows_wide, middle
implicit none (type, external)
private
public :: triangle_lead, round_up
public :: block_rows, block_lead, block_size, block_columns, to_line
public :: lowest_to_first
public :: pack, pack_differences

contains

pure function round_up(rows)
!! So many rows, and zeros that make them a multiple of what the kernels work on.
    integer(ip), intent(in) :: rows !! number of rows
    integer(ip) :: round_up

    round_up = row_multiple * ((rows + row_multiple - 1) / row_multiple)
end function round_up

pure function triangle_lead(n)
!! The leading dimension of a triangle.
    integer(ip), intent(in) :: n !! its order
    integer(ip) :: triangle_lead

    triangle_lead = round_up(n)
end function triangle_lead

pure function block_rows(n)
!! How many rows are reduced at a time: a few columns of them fit the nearest cache, and all
!! columns the next one or two.
    integer(ip), intent(in) :: n !! number of columns
    integer(ip) :: block_rows

    block_rows = block_rows_wide
    if (n <= middle) block_rows = block_rows_middle
    if (n <= narrow) block_rows = block_rows_narrow
end function block_rows

pure function block_lead(n)
!! The leading dimension of a block: columns a power of two apart would share few lines of a cache.
    integer(ip), intent(in) :: n !! number of columns
    integer(ip) :: block_lead

    block_lead = block_rows(n) + row_multiple
end function block_lead

pure function block_columns(n)
!! How many columns a block has: those of [A f], and where `tpqrt` works on it zeros that make
!! their number a multiple of 4.
    integer(ip), intent(in) :: n !! number of columns of A
    integer(ip) :: block_columns

    block_columns = n + 1
    if (n > narrow) block_columns = 4 * ((n + 4) / 4)
end function block_columns

pure function block_size(n)
!! The number of elements of a block.
    integer(ip), intent(in) :: n !! number of columns of A
    integer(wide_ip) :: block_size

    block_size = block_lead(n) * int(block_columns(n), wide_ip)
end function block_size

pure function to_line(x)
!! How many elements there are before the next line of the cache.
    real(dp), intent(in), target :: x(1) !! where to begin
    integer(wide_ip) :: to_line

    to_line = modulo(-transfer(c_loc(x), 0_c_intptr_t) / 8, int(cache_line, c_intptr_t))
end function to_line

pure function lowest_to_first(m, n, strides)
!! Where the first element of a matrix is, counted from its lowest address, which is 1.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    integer(wide_ip), intent(in) :: strides(2)
        !! elements from one row to the next, and from one column to the next
    integer(wide_ip) :: lowest_to_first

    lowest_to_first = 1 - min(0_wide_ip, (m - 1) * strides(1)) &
                      - min(0_wide_ip, (n - 1) * strides(2))
end function lowest_to_first

pure subroutine pack(rows, n, length, a, first, strides, f, b)
!! Copy rows of [A f] into a block, and fill its last rows up with zeros.
    integer(ip), intent(in) :: rows !! number of rows
    integer(ip), intent(in) :: n !! number of columns of A
    integer(wide_ip), intent(in) :: length !! number of elements of `a`
    real(dp), intent(in) :: a(length) !! A
    integer(wide_ip), intent(in) :: first !! where in `a` the first row begins
    integer(wide_ip), intent(in) :: strides(2)
        !! elements from one row to the next, and from one column to the next
    real(dp), intent(in) :: f(rows) !! the column that goes along
    real(dp), intent(inout) :: b(block_lead(n), n + 1) !! the block

    integer(ip) :: i, k

    if (strides(1) == 1) then
        call kernel_pack_columns(rows, n, a(first), strides(2), b, block_lead(n))
    else if (strides(2) == 1) then
        call kernel_pack_rows(rows, n, a(first), strides(1), b, block_lead(n))
    else
        do i = 1, rows
            do k = 1, n
                b(i, k) = a(first + (i - 1) * strides(1) + (k - 1) * strides(2))
            end do
        end do
    end if
    call add_residuals(rows, n, f, b)
end subroutine pack

pure subroutine pack_differences(rows, n, points, before, f, b)
!! As `pack`, where A is what residuals at other points are above f.
    integer(ip), intent(in) :: rows !! number of rows
    integer(ip), intent(in) :: n !! number of columns of A
    type(c_ptr), intent(in) :: points(n) !! where the residuals at the other points are
    integer(ip), intent(in) :: before !! how many of those there are before the rows
    real(dp), intent(in) :: f(rows) !! the column that goes along
    real(dp), intent(inout) :: b(block_lead(n), n + 1) !! the block

    call kernel_pack_differences(rows, n, points, before, f, b, block_lead(n))
    call add_residuals(rows, n, f, b)
end subroutine pack_differences

pure subroutine add_residuals(rows, n, f, b)
!! Complete a block by the column that goes along, and by rows of zeros.
    integer(ip), intent(in) :: rows !! number of rows
    integer(ip), intent(in) :: n !! number of columns of A
    real(dp), intent(in) :: f(rows) !! the column that goes along
    real(dp), intent(inout) :: b(block_lead(n), n + 1) !! the block

    call kernel_pack_columns(rows, 1_ip, f, 0_wide_ip, b(1, n + 1), block_lead(n))
    if (rows < round_up(rows)) b(rows + 1:round_up(rows), 1:n + 1) = 0
end subroutine add_residuals

end module qr_blocks
