module kernels_prefetch
!! The kernels of prefetch.c: what is read next is fetched while there is something else to do.
use, intrinsic :: iso_c_binding, only: dp => c_double, ip => c_int, wide_ip => c_int64_t, c_ptr
implicit none (type, external)
private
public :: prefetch
public :: kernel_prefetch_rows, kernel_prefetch_points, kernel_prefetch_some, kernel_prefetch_now

type, bind(c) :: prefetch
    !! What is still to be fetched: some pieces of memory, of so many lines of the cache each.
    type(c_ptr) :: first !! where the first piece begins
    type(c_ptr) :: points !! null, or where it is noted where each piece begins
    integer(wide_ip) :: step
        !! elements from one piece to the next, or from what is noted to where a piece begins
    integer(ip) :: pieces !! number of pieces
    integer(ip) :: lines !! lines of a piece
    integer(ip) :: piece !! how many pieces are done
    integer(ip) :: line !! how many lines of the one that is not
    integer(ip) :: portion !! lines to be fetched at a time
end type prefetch

interface
    pure subroutine kernel_prefetch_rows(plan, times, rows, n, a, strides) bind(c)
    !! Fetch rows of a matrix in so many portions. Where it lies scattered nothing is fetched.
        import :: prefetch, dp, ip, wide_ip
        implicit none (type, external)
        integer(ip), intent(in), value :: times !! number of portions
        integer(ip), intent(in), value :: rows !! number of rows, 0: nothing is to be fetched
        integer(ip), intent(in), value :: n !! number of columns
        real(dp), intent(in) :: a(1)
            !! the first element; the others are beyond the bounds that are named here
        integer(wide_ip), intent(in) :: strides(2)
            !! elements from one row to the next, and from one column to the next
        type(prefetch), intent(inout) :: plan !! the plan
    end subroutine kernel_prefetch_rows

    pure subroutine kernel_prefetch_points(plan, times, rows, n, points, before) bind(c)
    !! As `kernel_prefetch_rows`, where each column has a place of its own.
        import :: prefetch, ip, c_ptr
        implicit none (type, external)
        integer(ip), intent(in), value :: times !! number of portions
        integer(ip), intent(in), value :: rows !! number of rows, 0: nothing is to be fetched
        integer(ip), intent(in), value :: n !! number of columns
        type(c_ptr), intent(in) :: points(n)
            !! where the columns are, as long as there is something to be fetched
        integer(ip), intent(in), value :: before
            !! how many of their elements there are before the rows
        type(prefetch), intent(inout) :: plan !! the plan
    end subroutine kernel_prefetch_points

    pure subroutine kernel_prefetch_some(plan) bind(c)
    !! Fetch a portion.
        import :: prefetch
        implicit none (type, external)
        type(prefetch), intent(inout) :: plan !! the plan
    end subroutine kernel_prefetch_some

    pure subroutine kernel_prefetch_now(n, x) bind(c)
    !! Fetch a vector at once.
        import :: dp, ip
        implicit none (type, external)
        integer(ip), intent(in), value :: n !! number of elements
        real(dp), intent(in) :: x(n) !! the vector
    end subroutine kernel_prefetch_now
end interface

end module kernels_prefetch
