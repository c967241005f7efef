/* `sandboxd watch <0|1> <path>`: tells what happens to a path, or with 1 to all that is below it. */
#ifndef SANDGATE_WATCH_H
#define SANDGATE_WATCH_H

#include <stdint.h>

#include "protocol.h"

/* Runs as a tenant, as the program of an exec. */
int watch_main(const char *depth, const char *path);

/* watch_output.c: what is told is gathered here, and written once there is nothing more to gather. */
void watch_tell(enum watch_record kind, uint8_t flags, const char *path);
void watch_tell_rename(uint8_t flags, const char *from, const char *to);
void watch_flush(void);

/* Tells that the watch is over and leaves. */
_Noreturn void watch_end(void);
_Noreturn void watch_refuse(enum sandboxd_error code);

#endif
