/* What libosmem-live-bytes.so exports beside malloc: the bytes that the program has requested and not yet
 * freed. Look the functions up with dlsym in a process that was started with the library preloaded. Any
 * thread may call them; every figure is exact at the moment it is taken. */
#ifndef OSMEM_LIVE_BYTES_H
#define OSMEM_LIVE_BYTES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Requested bytes of all blocks that are allocated now. */
uint64_t live_bytes_now(void);
/* The largest value of live_bytes_now since the start or the last reset. */
uint64_t live_bytes_peak(void);
/* Sets the peak to the bytes live now. */
void live_bytes_reset_peak(void);
/* Successful calls so far that allocated, resized or freed a block. */
uint64_t live_bytes_calls(void);

#ifdef __cplusplus
}
#endif
#endif
