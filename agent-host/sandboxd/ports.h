/* Connections of the host to servers that listen on the sandbox's own loopback, as the rest of the daemon sees them. */
#ifndef SANDGATE_PORTS_H
#define SANDGATE_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "frames.h"

#define PORT_STREAMS_MAX 128

void ports_on_frame(const struct frame *frame);
bool ports_on_credit(const struct frame *frame);
bool ports_own_stream(uint32_t stream);
void ports_on_link_lost(void);

/* Gives up what was not connected in time and frees what is over. */
void ports_round(void);

/* Decides which sockets are read and written until the next round. */
void ports_resume(void);
uint64_t ports_deadline_ms(void);

#endif
