/* The one connection to the agent-host: dialled for ever, frames in, a bounded queue of frames out. */
#ifndef SANDGATE_LINK_H
#define SANDGATE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "fields.h"
#include "protocol.h"

/* Producers of output stop while more than this is queued. */
#define LINK_ROOM_BYTES (256 * 1024)

void link_init(const char *socket_path);

/* Appends a frame; dropped when there is no connection. */
void link_send(uint8_t type, uint32_t stream, const void *payload, size_t length);
void link_send_fields(uint8_t type, uint32_t stream, const struct field_writer *fields);
void link_send_credit(uint32_t stream, uint32_t bytes);

/* The fields of an error. */
void put_error(struct field_writer *fields, enum sandboxd_error code, const char *message);

/* Ends a stream with an error; `message` is for the host's log. */
void link_send_error(uint32_t stream, enum sandboxd_error code, const char *message);

/* True when a producer may add output. */
bool link_has_room(void);

/* The queue itself, for output that is read straight into it; NULL when there is no connection. */
struct buffer *link_queue(void);

/* Marks the connection for closing: the host broke the protocol, or went away. */
void link_fail(const char *why);

/* Dials when it is time and closes what failed. */
void link_round(void);
void link_flush(void);
uint64_t link_deadline_ms(void);

#endif
