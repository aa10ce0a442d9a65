module qr_tsqr
!! The triangle of a matrix with many rows, in one pass over it.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, c_ptr
use kernels_prefetch, only: prefetch, kernel_prefetch_rows, kernel_prefetch_points, &
                            kernel_prefetch_now
use kernels_tuning, only: cache_line, narrow
use qr_narrow, only: narrow_passes, narrow_products, tpqrt_narrow
use qr_blocks, only: triangle_lead, round_up, block_rows, block_lead, block_size, block_columns, &
                   to_line, lowest_to_first, pack, pack_differences
use qr_scale, only: scale_columns, scale_by_squares
use qr_tpqrt, only: tpqrt
implicit none (type, external)
private
public :: rows_work, packed_size
public :: start_rows, reduce_rows, reduce_differences, pack_rows, reduce_packed, end_rows

contains

pure function rows_work(n)
!! The number of elements that these routines keep between two calls.
    integer(ip), intent(in) :: n !! number of columns
    integer(wide_ip) :: rows_work

    rows_work = 2 * int(n + 1, wide_ip) + cache_line - 1 + block_size(n)
end function rows_work

pure subroutine start_rows(n, r, work)
!! Begin with no rows at all: R is zero.
    integer(ip), intent(in) :: n !! number of columns
    real(dp), intent(inout) :: r(triangle_lead(n), n + 1)
        !! the triangle and the column that goes along
    real(dp), intent(inout) :: work(rows_work(n))
        !! the scales of the columns, bounds on their elements, and a block

    integer(ip) :: j
    integer(wide_ip) :: last

    do j = 1, n + 1
        r(1:n, j) = 0
        work(j) = 1
        work(n + 1 + j) = 0
    end do
    ! The columns beyond those of [A f] stay zero.
    last = 2 * (n + 1) + to_line(work(2 * n + 3)) + block_size(n)
    work(last - (block_columns(n) - n - 1) * block_lead(n) + 1:last) = 0
end subroutine start_rows

pure subroutine reduce_rows(m, n, a, strides, f, r, work)
!! Reduce rows of [A f], which lie anywhere in memory, against the triangle of those before:
!! [R q; A f] -> [R' q'; 0 *].
!!
!! Blocks of rows are copied into the cache, the residual as one more column. Columns are scaled
!! there by powers of two, which changes no digit of R, when their elements are such that squares
!! would overflow or vanish. What is smaller than a column's largest element by the factor 2**(-200)
!! may vanish.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    integer(wide_ip), intent(in) :: strides(2)
        !! elements from one row of A to the next, and from one column to the next
    real(dp), intent(in) :: a(1 + (m - 1) * abs(strides(1)) + (n - 1) * abs(strides(2)))
        !! A, from its lowest address on
    real(dp), intent(in) :: f(m) !! the column that goes along
    real(dp), intent(inout) :: r(triangle_lead(n), n + 1) !! the triangle, scaled as `work` says
    real(dp), intent(inout) :: work(rows_work(n)) !! as `start_rows` or the rows before left it

    type(prefetch) :: plan
    integer(ip) :: i, rows, next
    integer(wide_ip) :: origin, first, place

    origin = lowest_to_first(m, n, strides)
    place = 2 * (n + 1) + to_line(work(2 * n + 3))
    do i = 1, m, block_rows(n)
        rows = min(block_rows(n), m - i + 1)
        first = origin + (i - 1) * strides(1)
        call pack(rows, n, size(a, kind=wide_ip), a, first, strides, f(i), work(place + 1))
        next = min(block_rows(n), m - i + 1 - rows)
        call kernel_prefetch_rows(plan, narrow_passes(n), next, n, &
                                  a(first + min(next, 1) * rows * strides(1)), strides)
        call kernel_prefetch_now(next, f(i + min(next, 1) * rows))
        call reduce_block(rows, n, work(place + 1), r, work, plan)
    end do
end subroutine reduce_rows

pure subroutine reduce_differences(m, n, points, f, r, work)
!! As `reduce_rows`, where A is what residuals at other points are above f.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    type(c_ptr), intent(in) :: points(n)
        !! where the residuals at the other points are, m of them each
    real(dp), intent(in) :: f(m) !! the column that goes along
    real(dp), intent(inout) :: r(triangle_lead(n), n + 1) !! the triangle, scaled as `work` says
    real(dp), intent(inout) :: work(rows_work(n)) !! as `start_rows` or the rows before left it

    type(prefetch) :: plan
    integer(ip) :: i, rows, after, next
    integer(wide_ip) :: place

    place = 2 * (n + 1) + to_line(work(2 * n + 3))
    do i = 1, m, block_rows(n)
        rows = min(block_rows(n), m - i + 1)
        after = i - 1 + rows
        call pack_differences(rows, n, points, i - 1, f(i), work(place + 1))
        next = min(block_rows(n), m - after)
        call kernel_prefetch_points(plan, narrow_passes(n), next, n, points, after)
        call kernel_prefetch_now(next, f(i + min(next, 1) * rows))
        call reduce_block(rows, n, work(place + 1), r, work, plan)
    end do
end subroutine reduce_differences

pure function packed_size(m, n)
!! The number of elements that `pack_rows` fills.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    integer(wide_ip) :: packed_size

    packed_size = cache_line - 1 + ((m + block_rows(n) - 1) / block_rows(n)) * block_size(n)
end function packed_size

pure subroutine pack_rows(m, n, a, strides, f, blocks)
!! The first half of `reduce_rows`: copy rows of [A f] to where `reduce_packed` takes them from.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    integer(wide_ip), intent(in) :: strides(2)
        !! elements from one row of A to the next, and from one column to the next
    real(dp), intent(in) :: a(1 + (m - 1) * abs(strides(1)) + (n - 1) * abs(strides(2)))
        !! A, from its lowest address on
    real(dp), intent(in) :: f(m) !! the column that goes along
    real(dp), intent(inout) :: blocks(packed_size(m, n)) !! the rows

    integer(ip) :: i
    integer(wide_ip) :: origin, place, before

    origin = lowest_to_first(m, n, strides)
    before = to_line(blocks)
    do i = 1, m, block_rows(n)
        place = before + ((i - 1) / block_rows(n)) * block_size(n)
        ! The columns beyond those of [A f].
        blocks(place + (n + 1) * block_lead(n) + 1:place + block_size(n)) = 0
        call pack(min(block_rows(n), m - i + 1), n, size(a, kind=wide_ip), a, &
                  origin + (i - 1) * strides(1), strides, f(i), blocks(place + 1))
    end do
end subroutine pack_rows

pure subroutine reduce_packed(m, n, blocks, r, work)
!! The second half of `reduce_rows`.
    integer(ip), intent(in) :: m !! number of rows
    integer(ip), intent(in) :: n !! number of columns
    real(dp), intent(inout) :: blocks(packed_size(m, n))
        !! the rows as and where `pack_rows` leaves them; destroyed
    real(dp), intent(inout) :: r(triangle_lead(n), n + 1) !! the triangle, scaled as `work` says
    real(dp), intent(inout) :: work(rows_work(n)) !! as `start_rows` or the rows before left it

    type(prefetch) :: plan
    integer(ip) :: i, next
    integer(wide_ip) :: place, before

    before = to_line(blocks)
    do i = 1, m, block_rows(n)
        place = before + ((i - 1) / block_rows(n)) * block_size(n)
        ! A block is one piece of memory.
        next = 0
        if (i + block_rows(n) <= m) next = block_lead(n) * (n + 1)
        call kernel_prefetch_rows(plan, narrow_passes(n), next, 1_ip, &
                                  blocks(place + min(next, 1) * block_size(n) + 1), &
                                  [1_wide_ip, 0_wide_ip])
        call reduce_block(min(block_rows(n), m - i + 1), n, blocks(place + 1), r, work, plan)
    end do
end subroutine reduce_packed

pure subroutine reduce_block(rows, n, b, r, work, plan)
!! Reduce one block against the triangle.
    integer(ip), intent(in) :: rows !! number of rows
    integer(ip), intent(in) :: n !! number of columns of A
    real(dp), intent(inout) :: b(block_lead(n), block_columns(n)) !! the block; destroyed
    real(dp), intent(inout) :: r(triangle_lead(n), n + 1) !! the triangle
    real(dp), intent(inout) :: work(2 * n + 2)
        !! shape (2*n + 2); the scales of the columns, and bounds on their elements
    type(prefetch), intent(inout) :: plan !! what to fetch meanwhile

    real(dp) :: s(narrow + 1), squares(narrow + 1)
    integer(ip) :: filled

    filled = round_up(rows)
    if (n <= narrow) then
        call narrow_products(n, filled, b, s, squares, plan)
        call scale_by_squares(n, n + 1, squares, filled, b, work(1), work(n + 2), r)
        if (any(work(1:n + 1) /= 1)) call narrow_products(n, filled, b, s, squares, plan)
        call tpqrt_narrow(n, r, filled, b, s, plan)
        return
    end if
    call scale_columns(n, filled, b, work(1), work(n + 2), r)
    call tpqrt(n, n + 1, r, filled, b, [triangle_lead(n), block_lead(n)], staircase=.false.)
end subroutine reduce_block

pure subroutine end_rows(n, r, work)
!! Take the scaling off the triangle.
    integer(ip), intent(in) :: n !! number of columns
    real(dp), intent(in) :: work(rows_work(n)) !! as the last rows left it
    real(dp), intent(inout) :: r(triangle_lead(n), n + 1)
        !! on exit the upper triangle of the first n columns is R, with zeros below, and column n +
        !! 1 is q, the first n components of Q'*f

    integer(ip) :: j

    do j = 1, n + 1
        if (work(j) /= 1) r(1:n, j) = r(1:n, j) / work(j)
    end do
end subroutine end_rows

end module qr_tsqr
