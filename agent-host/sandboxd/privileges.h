#ifndef SANDGATE_PRIVILEGES_H
#define SANDGATE_PRIVILEGES_H

/*
 * Gives up for ever what no exec may have and keeps what sandboxd needs itself: SETUID, SETGID and KILL. All of it
 * is inherited, so a tenant process only has to change its uid. Returns NULL, or what could not be done.
 */
const char *privileges_drop(void);

#endif
