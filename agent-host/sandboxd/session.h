/* Who this sandbox is: the greeting of each connection and the one configuration of the process' life. */
#ifndef SANDGATE_SESSION_H
#define SANDGATE_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "frames.h"

void session_init(const char *member_id);
bool session_is_greeted(void);
bool session_is_configured(void);

/* The configured environment, "NAME=value" strings. */
char *const *session_env(size_t *count);

void session_on_frame(const struct frame *frame);
void session_on_link_lost(void);

#endif
