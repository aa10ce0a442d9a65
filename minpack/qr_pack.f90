module qr_pack
!! Blocks of rows: how large they are, where they lie, and how rows from anywhere get there.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, &
                                       c_intptr_t, c_loc
use qr_kernels, only: strip
implicit none (type, external)
private
public :: line, block_rows, block_lead, block_size, padded, to_line, lowest_to_first
public :: pack, pack_differences

integer(ip), parameter :: line = 8
    !! blocks and their columns begin with a line of the cache, which is at most so many elements
integer(ip), parameter :: together = 8
    !! rows that are copied at a time
integer(ip), parameter :: beside = 5
    !! columns that are copied side by side; with more the processor would lose track of them

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

    block_size = block_lead(n) * int(padded(n + 1), wide_ip)
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

pure function padded(n)
!! The next multiple of 4.

    ! Inputs
    integer(ip), intent(in) :: n
        !! a number of columns

    ! Result
    integer(ip) :: padded

    padded = 4 * ((n + 3) / 4)
end function padded

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
    integer(ip) :: i, j, k

    if (down == 1) then
        do k = 1, n, beside
            call pack_columns(rows, min(beside, n - k + 1), length, a, first + (k - 1) * right, &
                              right, b(1, k), ldb)
        end do
    else
        ! Few rows at a time: what is read together lies together, and so does what is written.
        do i = 0, rows - together, together
            do k = 1, n
                do j = 1, together
                    b(i + j, k) = a(first + (i + j - 1) * down + (k - 1) * right)
                end do
            end do
        end do
        do k = 1, n
            do j = rows - mod(rows, together) + 1, rows
                b(j, k) = a(first + (j - 1) * down + (k - 1) * right)
            end do
        end do
    end if
    b(1:rows, n + 1) = f
    call fill_strip(rows, n, b, ldb)
end subroutine pack

pure subroutine pack_differences(rows, n, points, ldp, f, b, ldb)
!! As `pack`, where A is what residuals at other points are above f.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns of A
    integer(ip), intent(in) :: ldp
        !! leading dimension of `points`
    real(dp), intent(in) :: points(ldp, n)
        !! shape (ldp, n); the residuals at the other points, a column each
    real(dp), intent(in) :: f(rows)
        !! shape (rows); the column that goes along
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! Outputs
    real(dp), intent(inout) :: b(ldb, n + 1)
        !! shape (ldb, n + 1); the block

    ! Locals
    integer(ip) :: i, j, k, l

    ! As in `pack_columns`.
    do k = 1, n, beside
        do i = 0, rows - together, together
            do l = k, min(k + beside - 1, n)
                do j = i + 1, i + together
                    b(j, l) = points(j, l) - f(j)
                end do
            end do
        end do
    end do
    do k = 1, n
        do j = together * (rows / together) + 1, rows
            b(j, k) = points(j, k) - f(j)
        end do
    end do
    b(1:rows, n + 1) = f
    call fill_strip(rows, n, b, ldb)
end subroutine pack_differences

pure subroutine fill_strip(rows, n, b, ldb)
!! Fill the last strip of a block up with zeros.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: n
        !! number of columns of A
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! In-outputs
    real(dp), intent(inout) :: b(ldb, n + 1)
        !! shape (ldb, n + 1); the block

    if (mod(rows, strip) /= 0) b(rows + 1:rows + strip - mod(rows, strip), 1:n + 1) = 0
end subroutine fill_strip

pure subroutine pack_columns(rows, cols, length, a, first, right, b, ldb)
!! Copy some columns side by side, so that memory is read in several places at once.

    ! Inputs
    integer(ip), intent(in) :: rows
        !! number of rows
    integer(ip), intent(in) :: cols
        !! number of columns
    integer(wide_ip), intent(in) :: length
        !! number of elements of `a`
    real(dp), intent(in) :: a(length)
        !! the columns, each of them without gaps
    integer(wide_ip), intent(in) :: first
        !! where in `a` the first begins
    integer(wide_ip), intent(in) :: right
        !! elements from one column to the next
    integer(ip), intent(in) :: ldb
        !! leading dimension of `b`

    ! Outputs
    real(dp), intent(inout) :: b(ldb, cols)
        !! shape (ldb, cols); the copy

    ! Locals
    integer(ip) :: i, j, k
    integer(wide_ip) :: place

    do i = 0, rows - together, together
        do k = 1, cols
            place = first + i + (k - 1) * right
            do j = 1, together
                b(i + j, k) = a(place + j - 1)
            end do
        end do
    end do
    do k = 1, cols
        do j = together * (rows / together) + 1, rows
            b(j, k) = a(first + (k - 1) * right + j - 1)
        end do
    end do
end subroutine pack_columns

end module qr_pack
