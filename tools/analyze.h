/* What -fanalyzer cannot know of Python: which function frees what another allocated. Included
 * before each source by tools/analyze.sh. */
#include <stddef.h>

void PyMem_Free(void *block);
void *PyMem_Malloc(size_t size) __attribute__((malloc, malloc(PyMem_Free, 1)));
