/* Where the interpreter's memory comes from: its calls of malloc, mmap and so on are redirected to here when the
 * snapshot is linked (build_snapshot.py).
 *
 * Until the snapshot is written, memory is taken from one block inside the program, which becomes part of it.
 * From then on it comes from the C library. What lies in the block is never given back.
 */
#ifndef STAVE_HEAP_H
#define STAVE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* The block, as far as it has been taken. */
extern char heap_start[];
size_t heap_used(void);

/* The block is not extended any more: what is there now is the snapshot's. */
void heap_seal(void);
bool heap_is_sealed(void);

#endif
